"""What there is to copy of endpoints, models, GPUs, alerts and jobs; no secret is in it."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import endpoint_view, gpu, host_view, model
from jobs import job, order
from quarterdeck.config.fleet import Auth, EndpointSpec, FleetConfig
from quarterdeck.model.actions import ACTIONS
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity
from quarterdeck.model.fleet import State
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.job import JobState, Order
from quarterdeck.model.phrasing import command_line
from quarterdeck.tui.acting.choices import Target
from quarterdeck.tui.copying import what
from quarterdeck.tui.copying.doing import Copyable, told

NOW, UNIX = 10_000.0, 1_795_370_400.0
SECRET = "hunter-two"


def config(auth: Auth | None = None) -> FleetConfig:
    return FleetConfig(endpoints=(EndpointSpec("vllm-a", "http://10.0.0.1:8000", auth=auth),))


def by_label(found: list[Copyable]) -> dict[str, str]:
    return {each.label: each.text for each in found}


def test_of_an_endpoint_its_url_comes_first() -> None:
    view = endpoint_view(
        url="http://10.0.0.1:8000", state=State.BUSY, reason="37 requests wait", running=16, waiting=37
    )
    found = what.of_endpoint(view, config(), NOW, UNIX)
    assert found[0] == Copyable("the URL", "http://10.0.0.1:8000")
    texts = by_label(found)
    assert texts["the name"] == "vllm-a"
    assert texts["a curl line for its models"] == "curl -sS http://10.0.0.1:8000/v1/models"
    line = texts["its state, for a message"]
    assert line.startswith("vllm-a (http://10.0.0.1:8000) BUSY for 3m: 37 requests wait; 16 running, 37 waiting")
    assert line.endswith("at 2026-11-22T18:00:00Z")


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (Auth(env="VLLM_KEY"), ["-H", "Authorization: Bearer $VLLM_KEY"]),
        (Auth(env="X", header="X-Api-Key", scheme=""), ["-H", "X-Api-Key: $X"]),
        (Auth(command=("pass", "show", SECRET)), ["-H", "Authorization: Bearer $API_KEY"]),
        (Auth(env="rm -rf $(x)"), ["-H", "Authorization: Bearer $API_KEY"]),
        (None, []),
    ],
)
def test_a_key_is_named_never_written(auth: Auth | None, expected: list[str]) -> None:
    line = what.curl(endpoint_view(url="https://api.example.com/v1"), auth)
    assert shlex.split(line) == ["curl", "-sS", "https://api.example.com/v1/models", *expected]
    assert SECRET not in line


def test_a_request_to_a_model_survives_the_shell() -> None:
    line = what.curl(endpoint_view(url="http://box:11434"), None, 'it\'s a "model" $(reboot)')
    assert line.startswith("curl -sS http://box:11434/v1/chat/completions -H 'Content-Type: application/json' -d ")
    body = shlex.split(line)[-1]
    assert '"model": "it\'s a \\"model\\" $(reboot)"' in body


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"http://me:{SECRET}@box:8000/v1", "http://…@box:8000/v1"),
        (f"https://x/v1?api_key={SECRET}&model=a", "https://x/v1?api_key=…&model=a"),
        (f"https://x/v1?a=1&access_token={SECRET}", "https://x/v1?a=1&access_token=…"),
        (f"http://me:p@{SECRET}@box:8000/v1", "http://…@box:8000/v1"),
        ("http://box:8000/v1", "http://box:8000/v1"),
        ("http://box:8000/\x1b[31m", "http://box:8000/"),
    ],
)
def test_what_could_be_a_credential_in_a_url_is_masked(url: str, expected: str) -> None:
    assert what.masked(url).startswith(expected)
    assert SECRET not in what.masked(url)
    assert "\x1b" not in what.masked(url)
    for each in what.of_endpoint(endpoint_view(url=url), config(), NOW, UNIX):
        assert SECRET not in each.text


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=60))
def test_masking_takes_any_text(text: str) -> None:
    assert isinstance(what.masked(text), str)
    assert "\n" not in what.masked(f"http://{text}@host/")


def test_of_a_model_its_id_comes_first() -> None:
    view = endpoint_view("mac", url="http://mac:11434")
    found = what.of_targets([Target(view, model("qwen3:8b"))], config(), NOW, UNIX)
    assert found[0].text == "qwen3:8b"
    assert by_label(found)["model and endpoint"] == "qwen3:8b@mac"


def test_of_marked_rows_a_line_each() -> None:
    one, two = endpoint_view("a", url="http://a:1"), endpoint_view("b", url="http://b:2")
    assert (
        by_label(what.of_targets([Target(one), Target(two), Target(one)], config(), NOW, UNIX))["URLs"]
        == "http://a:1\nhttp://b:2"
    )
    found = what.of_targets([Target(one, model("m")), Target(two, model("n"))], config(), NOW, UNIX)
    assert found[0] == Copyable("model ids", "m\nn")


def test_of_a_gpu() -> None:
    card = gpu(3, uuid="GPU-abc")
    found = what.of_gpu(host_view("box", card), card)
    assert found[0].text == "GPU-abc"
    texts = by_label(found)
    assert texts["CUDA_VISIBLE_DEVICES"] == "CUDA_VISIBLE_DEVICES=GPU-abc"
    assert texts["its state, for a message"] == "box/3 NVIDIA H100 80GB HBM3: 50%, 40.0 GiB of 80.0 GiB, 310 W, 54 °C"
    unknown = what.of_gpu(host_view("box"), gpu(0, None, uuid=None, temperature_c=None))
    assert next(each.label for each in unknown if each.text) == "host and index"
    assert "–" in unknown[-1].text


def test_an_alert_in_full() -> None:
    alert = Alert(
        "queue vllm-a", "queue", Severity.CRITICAL, "vllm-a", "12 requests wait\x1b[2J", UNIX - 75, UNIX - 45,
        ("waiting: 0 then, 12 now", "running: 8"), "more arrives", "start a replica",
        acknowledged=Acknowledged(UNIX - 5, "ada", "on it"),
    )  # fmt: skip
    text = what.of_alert(alert, UNIX)[0].text
    lines = text.splitlines()
    assert lines[0].startswith("CRITICAL vllm-a: 12 requests wait")
    assert "  since: 2026-11-22T17:58:45Z, for 1m; open" in lines
    assert "  cause: more arrives" in lines
    assert "  seen: by ada at 2026-11-22T17:59:55Z: on it" in lines
    assert "  evidence: running: 8" in lines
    assert "\x1b" not in text
    over = what.alert_text(replace(alert, cleared_at=UNIX - 10, ending="8 wait"), UNIX)
    assert "cleared 2026-11-22T17:59:50Z (8 wait)" in over


def test_an_event_and_a_time_outside_the_calendar() -> None:
    assert what.of_happening(Happening(UNIX, Topic.STATE, "a", "DOWN", "refused"))[0].text == (
        "2026-11-22T18:00:00Z state a DOWN: refused"
    )
    assert what.iso(1e300) == "–"
    assert what.iso(None) == "–"


def test_of_a_job_the_command_that_asks_for_the_same() -> None:
    done = job(order("pull", "mac", "qwen3:8b"), id="abcde", state=JobState.FAILED, words="no space\ntry less")
    found = what.of_job(done)
    assert found[0] == Copyable("the command", "quarterdeck pull qwen3:8b --on mac")
    assert found[1].text == "pull qwen3:8b on mac: failed; no space; try less"
    assert found[2].text == "abcde"
    launched = what.of_job(job(order("launch", "x", None)))
    assert launched[0].label == "how it went", "what no action of the table is has no command"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Order("load", "mac", "a b", {"context": 8192}), "quarterdeck load 'a b' --on mac --context 8192"),
        (Order("lora_load", "v", None, {"name": "sql", "path": "/a"}), "quarterdeck lora add sql /a --on v"),
        (Order("stop", "v", None, {"within": "30s"}), "quarterdeck stop v --within 30s"),
        (Order("copy", "mac", "m", {"destination": "n"}), "quarterdeck cp m n --on mac"),
        (Order("sleep", "v", None, {"level": 1}), "quarterdeck sleep v --level 1"),
        (Order("unload_all", "v"), "quarterdeck unload-all v"),
    ],
)
def test_commands_as_they_are_typed(wanted: Order, expected: str) -> None:
    assert command_line(wanted) == expected


def test_every_action_has_a_command() -> None:
    for action in ACTIONS:
        options = {each.name: each.example for each in action.arguments if each.name != "model"}
        line = command_line(Order(action.id, "e", "m" if action.on.value == "model" else None, options))
        assert line.startswith("quarterdeck ")


def test_how_much_was_copied() -> None:
    assert told(Copyable("the URL", "x")) == "the URL (1 character)"
    assert told(Copyable("the page", "ab\ncd\n")) == "the page (2 lines, 6 characters)"
