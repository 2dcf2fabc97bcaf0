"""What a simulated llama-server says of itself: /props, /slots and its model card."""

from __future__ import annotations

from typing import Any

from quarterdeck.demo.job import Job

_PARAMS: dict[str, Any] = {
    "seed": 4294967295,
    "temperature": 0.800000011920929,
    "top_k": 40,
    "top_p": 0.949999988079071,
    "min_p": 0.05000000074505806,
    "typical_p": 1.0,
    "repeat_last_n": 64,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "mirostat": 0,
    "max_tokens": -1,
    "n_predict": -1,
    "n_keep": 0,
    "n_discard": 0,
    "ignore_eos": False,
    "stream": False,
    "n_probs": 0,
    "min_keep": 0,
    "chat_format": "Content-only",
    "reasoning_format": "none",
    "samplers": ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
    "speculative.types": "none",
    "timings_per_token": False,
    "lora": [],
}
_TEMPLATE = "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '\\n' }}{% endfor %}"


def properties(model: str, *, n_ctx: int, slots: int, build: str) -> dict[str, Any]:
    """The answer of /props."""
    return {
        "default_generation_settings": {"params": _PARAMS, "n_ctx": n_ctx},
        "total_slots": slots,
        "model_alias": model,
        "model_ftype": "Q4_K - Medium",
        "model_path": f"/models/{model}.gguf",
        "modalities": {"vision": False, "video": False, "audio": False},
        "endpoint_slots": True,
        "endpoint_props": False,
        "endpoint_metrics": True,
        "ui": True,
        "ui_settings": {},
        "chat_template": _TEMPLATE,
        "chat_template_caps": {"supports_system_role": True, "supports_tool_calls": False},
        "bos_token": "<s>",
        "eos_token": "</s>",
        "build_info": build,
        "is_sleeping": False,
        "cors_proxy_enabled": False,
    }


def slot(index: int, n_ctx: int, job: Job | None, made: int | None) -> dict[str, Any]:
    """One entry of /slots: ``job`` is the last one it had, ``made`` its tokens so far (``None`` = it has finished)."""
    base = {"id": index, "n_ctx": n_ctx, "speculative": False, "is_processing": made is not None}
    if job is None:
        return base
    params = {**_PARAMS, "max_tokens": job.limit, "n_predict": job.limit, "stream": True}
    ready = job.first is not None
    return {
        **base,
        "id_task": job.number,
        "n_prompt_tokens": job.prompt + (job.made if made is None else made),
        "n_prompt_tokens_processed": job.prompt - job.cached if made is not None and ready else 0,
        "n_prompt_tokens_cache": job.cached if made is not None else 0,
        "params": params,
        "next_token": [
            {
                "has_next_token": made is not None,
                "has_new_line": False,
                "n_remain": -1 if made is None else job.limit - made,
                "n_decoded": made or 0,
            }
        ],
    }


def model_card(model: str, *, created: int, n_ctx: int) -> dict[str, Any]:
    """The answer of /v1/models: an Ollama-like list and an OpenAI-like one."""
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": "",
        "families": [""],
        "parameter_size": "",
        "quantization_level": "",
    }
    like_ollama = {
        "name": model,
        "model": model,
        "modified_at": "",
        "size": "",
        "digest": "",
        "type": "model",
        "description": "",
        "tags": [""],
        "capabilities": ["completion"],
        "parameters": "",
        "details": details,
    }
    meta = {
        "vocab_type": 2,
        "n_vocab": 131_072,
        "n_ctx": n_ctx,
        "n_ctx_train": 131_072,
        "n_embd": 5120,
        "n_params": 23_572_403_200,
        "size": 14_325_329_920,
        "ftype": "Q4_K - Medium",
    }
    like_openai = {
        "id": model,
        "aliases": [model],
        "tags": [],
        "object": "model",
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "created": created,
        "owned_by": "llamacpp",
        "meta": meta,
    }
    return {"models": [like_ollama], "object": "list", "data": [like_openai]}
