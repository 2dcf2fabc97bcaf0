"""What goes on behind an endpoint: gateways and Ollama's cloud are not inside because their address is; files have one name only."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

import pytest

from chat_desk import desk_of, prompt
from fake_servers import Reply, pages_server
from fakes import endpoint_view
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.chat.attaching import Prompt
from quarterdeck.engine.chat.conversation import Conversation
from quarterdeck.engine.chat.onward import onward
from quarterdeck.engine.chat.sending import Exchange, Wish
from quarterdeck.engine.chat.session import Session
from quarterdeck.model.chat.answer import Ending
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.model.fleet import Boundary
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Deployment

GATEWAY = EndpointSpec("gw", "http://127.0.0.1:4000", "litellm")
FLEET = FleetConfig(
    endpoints=(
        GATEWAY,
        EndpointSpec("ours", "https://llm.example.com", "vllm", boundary=Boundary.VPC),
        EndpointSpec("theirs", "http://10.0.0.9:8000", "openai", boundary=Boundary.EXTERNAL),
    )
)
STREAMED = Reply(
    b'data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    headers={"Content-Type": "text/event-stream"},
)


@pytest.mark.parametrize(
    ("backend", "place"),
    [
        ("openai/gpt-4o at https://api.openai.com/v1", "api.openai.com"),
        ("openai/qwen3 at http://127.0.0.1:8000/v1", None),
        ("hosted_vllm/qwen3 at http://10.1.2.3:8000/v1", None),
        ("openai/qwen3 at https://llm.example.com/v1", None),  # the fleet file calls it vpc
        ("openai/qwen3 at http://10.0.0.9:8000", "10.0.0.9"),  # and this one external
        ("openai/gpt-4o", "openai"),
        ("gpt-4o", "gpt-4o"),
        ("anthropic/claude", "anthropic"),
        ("ollama/llama3", None),
        ("OLLAMA_CHAT/llama3", None),
        ("ollama/gpt-oss:120b-cloud at http://127.0.0.1:11434", "ollama.com"),
        ("https://api.example.org/v1", "api.example.org"),
        ("openai/x at https://API.OpenAI.com:443/v1", "api.openai.com"),
        ("openai/x at ftp://", "an unknown place"),
        ("", "an unknown place"),
    ],
)
def test_where_a_gateway_forwards_to(backend: str, place: str | None) -> None:
    view = endpoint_view("gw", engine="litellm", deployments=(Deployment("m", backend),))
    found = onward(FLEET, GATEWAY, view, "m")
    assert (found.place if found else None) == place
    assert found is None or (place or "") in found.reason


@pytest.mark.parametrize(
    ("known", "model", "leaves"),
    [
        ((), "m", True),  # it doesn't tell
        ((Deployment("*", "openai/*"),), "m", True),
        ((Deployment("m", "ollama/x"), Deployment("*", "openai/*")), "m", False),
        ((Deployment("m", "ollama/x"), Deployment("m", "openai/x")), "m", True),
        ((Deployment("m", "ollama/x"),), "alias", False),
        ((Deployment("m", "ollama/x"), Deployment("n", "openai/x")), "alias", True),
        ((Deployment("m", "ollama/x"), Deployment("n", "openai/x")), "m", False),
    ],
)
def test_which_of_its_backends_count(known: tuple[Deployment, ...], model: str, leaves: bool) -> None:
    assert (
        onward(FLEET, GATEWAY, endpoint_view("gw", engine="litellm", deployments=known), model) is not None
    ) is leaves
    assert onward(FLEET, FLEET.endpoints[2], None, model) is None  # external itself: asked for that already


def test_a_gateway_that_nobody_has_asked_yet_may_forward_anywhere() -> None:
    assert onward(FLEET, GATEWAY, None, "m") is not None
    assert onward(FLEET, EndpointSpec("a", "http://127.0.0.1:1", "vllm"), None, "m") is None


@pytest.mark.parametrize(
    ("name", "remote", "place"),
    [
        ("gpt-oss:120b-cloud", None, "ollama.com"),
        ("qwen3:cloud", None, "ollama.com"),
        ("mine:latest", "https://ollama.com:443", "ollama.com"),  # a copy of a cloud model under another name
        ("mine:latest", "http://10.0.0.5:11434", None),
        ("mine:latest", None, None),
        ("cloudy:latest", None, None),
    ],
)
def test_ollama_s_cloud_is_not_this_machine(name: str, remote: str | None, place: str | None) -> None:
    spec = EndpointSpec("o", "http://127.0.0.1:11434", "ollama")
    view = endpoint_view("o", engine="ollama", models=(ModelReading(name, ModelState.INSTALLED, remote=remote),))
    found = onward(FLEET, spec, view, name)
    assert (found.place if found else None) == place


@pytest.mark.parametrize(("external", "agreed"), product(Rule, (False, True)))
async def test_the_policy_holds_for_what_lies_behind_a_gateway(external: Rule, agreed: bool) -> None:
    async with pages_server({"*": STREAMED}) as server:
        spec = EndpointSpec("gw", server.url, "litellm", boundary=Boundary.VPC)
        known = (Deployment("m", "openai/gpt at https://api.openai.com/v1"), Deployment("n", "ollama/llama3"))
        desk = desk_of(spec, views=(endpoint_view("gw", engine="litellm", deployments=known),), policy=Policy(external))
        session = Session()
        talk = Conversation(desk, session)
        column = talk.add("gw", "m")
        verdict, _ = talk.verdicts(Prompt("p", "p"), talk.columns)["gw"]
        assert verdict.rule is external
        assert talk.boundary(column) is Boundary.EXTERNAL
        if agreed:
            session.agree("gw")
        answer = await Exchange(desk, session, Wish("gw", prompt())).run()
        inside = await Exchange(desk, session, Wish("gw", prompt(model="n"))).run()
    may = external is Rule.ALLOW or (external is Rule.ASK and agreed)
    assert answer.ending is (Ending.DONE if may else Ending.FORBIDDEN)
    assert len(server.asked) == may + 1
    assert "api.openai.com" in (" ".join(answer.notes) if may else answer.reason)
    assert (inside.ending, inside.notes) == (Ending.DONE, [])


async def test_a_yes_to_one_provider_is_none_to_another() -> None:
    async with pages_server({"*": STREAMED}) as server:
        spec = EndpointSpec("gw", server.url, "litellm")
        known = (Deployment("m", "openai/gpt"), Deployment("n", "deepseek/x"))
        desk = desk_of(spec, views=(endpoint_view("gw", engine="litellm", deployments=known),))
        session = Session()
        endings = []
        for model in ("m", "n", "m", "n"):
            answer = await Exchange(desk, session, Wish("gw", prompt(model=model))).run()
            endings.append(answer.ending)
            if len(endings) == 1:
                session.agree("gw")
    assert endings == [Ending.FORBIDDEN, Ending.FORBIDDEN, Ending.DONE, Ending.FORBIDDEN]


@pytest.mark.parametrize("rule", [Rule.ASK, Rule.NEVER])
@pytest.mark.parametrize(
    "way", ["straight", "link in the rule", "dots in the rule", "dots in the name", "link to it", "pattern"]
)
def test_a_file_is_held_against_rules_whatever_it_is_called(tmp_path: Path, way: str, rule: Rule) -> None:
    real = tmp_path / "disk" / "work"
    real.mkdir(parents=True)
    (real / "plan.txt").write_text("x")
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    os.link(real / "plan.txt", tmp_path / "other.txt")
    globs = {
        "link in the rule": tmp_path / "home" / "work",
        "dots in the rule": tmp_path / "nowhere" / ".." / "disk" / "work",
        "pattern": tmp_path / "home" / "work" / "*.txt",
        "link to it": tmp_path / "home" / "work" / "plan.txt",
    }
    (tmp_path / "nowhere").mkdir()
    named = {
        "dots in the name": real / ".." / "work" / "plan.txt",
        "link to it": tmp_path / "other.txt",
    }.get(way, real / "plan.txt")
    policy = Policy(Rule.ALLOW, ((str(globs.get(way, real)), rule),))
    spec = EndpointSpec("a", "https://api.example.com", boundary=Boundary.EXTERNAL)
    fleet = FleetConfig(endpoints=(spec,), policy=policy)
    session = Session()
    assert session.verdict(fleet, spec, (str(named),)).rule is rule
    session.agree("a", (str(named),))
    assert session.verdict(fleet, spec, (str(named),)).rule is (Rule.ALLOW if rule is Rule.ASK else Rule.NEVER)
    assert session.verdict(fleet, spec, (str(tmp_path / "else.txt"), "/nowhere/at/all")).rule is Rule.ALLOW


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_takes_no_prompt_along(status: int) -> None:
    async with pages_server({"*": STREAMED}) as outside:
        moved = Reply(b"", status=status, headers={"Location": f"{outside.url}/v1/chat/completions"})
        async with pages_server({"*": moved}) as server:
            desk = desk_of(EndpointSpec("a", server.url, "vllm"), policy=Policy(Rule.NEVER))
            answer = await Exchange(desk, Session(), Wish("a", prompt())).run()
    assert answer.ending is Ending.FAILED
    assert str(status) in answer.reason
    assert outside.asked == []
