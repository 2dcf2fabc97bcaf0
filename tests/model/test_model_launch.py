"""What is filled in to launch a vLLM, as a command."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.launch import FIELDS, Launch, broken, heads_problem, missing_gpus, read

FULL = {
    "model": " Qwen/Qwen3-8B ",
    "name": "qwen",
    "port": "8123",
    "gpus": "2, 3,2",
    "tensor_parallel": "2",
    "max_model_len": "32k",
    "gpu_memory_utilization": "85%",
    "quantization": "fp8",
    "lora": "sql=/adapters/sql 'b=/a b'",
    "extra": "--dtype float32 --served-model-name 'x y'",
    "program": "/opt/vllm",
}


def launched(**answers: str) -> Launch:
    launch, wrong = read({"model": "m", **answers})
    assert launch is not None, wrong
    return launch


def test_everything_that_is_filled_in_is_in_the_command() -> None:
    launch = launched(**FULL)
    assert launch.shown == (
        "CUDA_VISIBLE_DEVICES=2,3 /opt/vllm serve Qwen/Qwen3-8B --host 127.0.0.1 --port 8123 --tensor-parallel-size 2"
        " --max-model-len 32k --gpu-memory-utilization 0.85 --quantization fp8"
        " --enable-lora --lora-modules sql=/adapters/sql 'b=/a b' --dtype float32 --served-model-name 'x y'"
    )
    assert launch.env == {"CUDA_VISIBLE_DEVICES": "2,3"}
    assert (launch.called, launch.url) == ("qwen", "http://127.0.0.1:8123")


def test_what_is_empty_is_left_to_vllm() -> None:
    launch = launched()
    assert launch.command == ("vllm", "serve", "m", "--host", "127.0.0.1", "--port", "8000")
    assert launch.env == {}


@pytest.mark.parametrize(
    ("model", "name"),
    [("Qwen/Qwen3-8B", "qwen3-8b"), ("/models/My Model/", "my-model"), ("..", ".."), ("ü", "vllm"), ("/" * 9, "vllm")],
)
def test_the_name_is_made_from_the_model(model: str, name: str) -> None:
    assert launched(model=model).called == name


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("model", ""),
        ("model", "--trust-remote-code"),
        ("model", "a\nb"),
        ("name", "\x1b[2J"),
        ("name", "n" * 61),
        ("name", "-rf"),
        ("port", "0"),
        ("port", "65536"),
        ("port", "٣"),
        ("port", "8000;ls"),
        ("tensor_parallel", "-1"),
        ("max_model_len", "many"),
        ("gpu_memory_utilization", "1.1"),
        ("gpu_memory_utilization", "nan"),
        ("gpus", "0,x"),
        ("quantization", "--port"),
        ("lora", "sql"),
        ("lora", "sql="),
        ("lora", "'sql=/a"),
        ("extra", '"open'),
        ("extra", "--port 9"),
        ("extra", "--host=0.0.0.0"),
        ("extra", "x" * 2001),
        ("program", "-c"),
        ("program", "vllm\0"),
    ],
)
def test_what_can_not_be_is_said_by_field(field: str, text: str) -> None:
    launch, wrong = read({"model": "m", field: text})
    assert launch is None
    assert list(wrong) == [field]
    assert wrong[field].isprintable()


def test_fewer_gpus_than_it_is_split_over() -> None:
    assert read({"model": "m", "gpus": "0", "tensor_parallel": "2"})[1] == {
        "gpus": "tensor parallel size 2 needs 2 GPUs, 1 are named"
    }


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=40)))
def test_whatever_is_typed_comes_back_from_a_shell_as_it_was_meant(answers: dict[str, str]) -> None:
    launch, wrong = read(answers)
    assert (launch is None) == bool(wrong)
    if launch is not None:
        variables = [f"{name}={value}" for name, value in launch.env.items()]
        assert shlex.split(launch.shown) == [*variables, *launch.command]
        assert launch.command[1] == "serve"
        assert all(len(line) <= 20 for line in broken(launch.shown_words, 20))


def test_a_command_is_broken_without_losing_a_character() -> None:
    assert broken(("vllm", "serve", "x" * 25, "y"), 10) == ["vllm serve", "x" * 10, "x" * 10, "x" * 5 + " y"]
    assert broken((), 10) == [""]


def test_what_is_told_of_gpus() -> None:
    assert missing_gpus((0, 7), (0, 1)) == "there is no GPU 7; there are 0, 1"
    assert missing_gpus((1,), (0, 1)) == ""
    assert heads_problem(3, 32) == "its 32 attention heads can't be split over 3 GPUs"
    assert heads_problem(3, None) == heads_problem(4, 32) == ""
