"""The pages of a good server of every engine: recorded ones where there are any, else hand-made from documentation."""

from __future__ import annotations

from recorded import recorded

SOUND: dict[str, dict[str, bytes]] = {
    "vllm": {
        "/metrics": recorded("vllm/load_1.txt"),
        "/version": recorded("vllm/version.json"),
        "/v1/models": recorded("vllm/models_lora.json"),
    },
    "ollama": {
        "/api/ps": recorded("ollama/ps_two.json"),
        "/api/tags": recorded("ollama/tags_three.json"),
        "/api/version": b'{"version": "0.32.15"}',
    },
    "llamacpp": {
        "/props": recorded("llamacpp/props.json"),
        "/v1/models": recorded("llamacpp/v1_models.json"),
        "/metrics": recorded("llamacpp/metrics_load_1.txt"),
        "/slots": recorded("llamacpp/slots_load_1.json"),
    },
    "router": {
        "/props": recorded("llamacpp/router_props.json"),
        "/models": recorded("llamacpp/router_models.json"),
        "/metrics": recorded("llamacpp/metrics_load_2.txt"),
        "/slots": recorded("llamacpp/slots_load_2.json"),
    },
    "sglang": {
        "/v1/loads": recorded("sglang/loads.json"),
        "/metrics": recorded("sglang/metrics_tp2.txt"),
        "/v1/models": b'{"data": [{"id": "qwen", "owned_by": "sglang", "max_model_len": 4096}]}',
        "/model_info": b'{"model_path": "qwen", "weight_version": "default"}',
    },
    "litellm": {
        "/health/readiness": recorded("litellm/readiness.json"),
        "/health/readiness/details": recorded("litellm/readiness_details.json"),
        "/health/backlog": recorded("litellm/backlog.json"),
        "/v1/models": recorded("litellm/v1_models.json"),
        "/model/info": recorded("litellm/model_info.json"),
        "/metrics/": recorded("litellm/metrics_2.txt"),
    },
    "lmstudio": {
        "/api/v1/models": recorded("lmstudio/v1_models.json"),
        "/api/v0/models": recorded("lmstudio/v0_models.json"),
    },
    "llama-swap": {
        "/running": recorded("llama_swap/running.json"),
        "/v1/models": recorded("llama_swap/v1_models.json"),
        "/api/version": b'{"version": "250", "commit": "a", "build_date": "b"}',
    },
    "tgi": {"/info": recorded("tgi/info.json"), "/metrics": recorded("tgi/metrics.txt")},
    "openai": {"/v1/models": recorded("vllm/models.json")},
}
