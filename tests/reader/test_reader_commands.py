"""What is typed, and what is answered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_fakes import DONE, FakeDesk, Script, Wire, answer, failure, fleet_file, fleet_view, wire
from fakes import endpoint_view, gpu, host_view, model
from jobs import Workers, job
from quarterdeck.engine.alerting.alarms import Alarms
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.format import printable
from quarterdeck.model.actions import ACTIONS, BY_ID
from quarterdeck.model.chat.answer import Piece
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.model.fleet import State
from quarterdeck.model.job import JobState
from quarterdeck.model.phrasing import slots
from quarterdeck.reader import commands, doing
from quarterdeck.reader.saying import Level
from quarterdeck.reader.typed import action_of, split, typed
from reader.line_mode import Talk

__all__ = ["wire"]


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


# ---- words


def test_every_command_is_done_by_something() -> None:
    words = {command.word for command in commands.COMMANDS}
    assert words == {*doing._DOING, "quit"}
    every = [word for command in commands.COMMANDS for word in (command.word, *command.also)]
    assert len(every) == len(set(every))
    acting = {(action.typed or (action.id,))[0] for action in ACTIONS}
    assert not acting & set(every), "a command would hide an action"
    assert not (acting | words) & set(commands.SHELL)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("statsu", "There is no command 'statsu'. Did you mean status or start?"),
        ("unlod", "Did you mean unload"),
        ("xyzzy", "There is no command 'xyzzy'. help lists those there are."),
        ("launch", "launch is a command of the shell: quarterdeck launch --help tells more."),
    ],
)
def test_an_unknown_word(word: str, said: str) -> None:
    assert said in commands.unknown(word)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_every_action_is_typed_in_the_words_of_the_command_line(action: object) -> None:
    assert action in ACTIONS
    one = next(each for each in ACTIONS if each is action)
    words, examples = list(one.typed or (one.id,)), {"endpoint": "e", "deployment": "d", "model": "m", "new-model": "n"}
    expected: dict[str, object] = {}
    for slot in slots(one):
        example = examples.get(slot.kind) or (slot.argument.example if slot.argument is not None else "x")
        words += [slot.option, example] if slot.option else [example]
        expected[slot.name] = example
    found = action_of(words)
    assert found is not None
    assert found[0] is one
    wish = typed(one, words[found[1] :]).wish
    said: dict[str, object] = {"targets": wish.targets, "models": wish.models, "on": wish.on}
    for name, value in expected.items():
        assert said.get(name) == [value] or str(wish.options.get(name)) == str(value)
    assert commands.about(" ".join(one.typed or (one.id,)))


def test_flags_and_equals_signs() -> None:
    said = typed(BY_ID["stop"], ["a", "b", "--now", "--yes", "--confirm=a"])
    assert (list(said.wish.targets), dict(said.wish.options), said.yes, said.confirm) == (
        ["a", "b"],
        {"within": "0s"},
        True,
        ("a",),
    )
    assert typed(BY_ID["load"], ["m", "--on=e", "--dry-run"]).dry_run


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("pull", "its model is missing"),
        ("cp a", "its destination is missing"),
        ("cp a b c", "'c' is too much"),
        ("load m --nope 3", "there is no option '--nope'"),
        ("load m --on", "--on needs a value"),
        ("load m --context abc", "context: expected a number of tokens"),
        ("load m --now", "there is no option '--now'"),
    ],
)
def test_what_is_typed_wrong_says_how_it_is_typed(line: str, why: str) -> None:
    words = split(line)
    found = action_of(words)
    assert found is not None
    with pytest.raises(UsageError) as error:
        typed(found[0], words[found[1] :])
    assert why in error.value.message
    assert error.value.hint.startswith("It is typed so: " + words[0])


@given(st.text(max_size=60))
def test_no_line_is_an_error_that_nobody_foresaw(line: str) -> None:
    async def run() -> None:
        talk = Talk(FakeDesk())
        for said in await talk.says(f"nope {line}"):
            assert said == printable(said, 10_000)

    asyncio.run(run())
    try:
        words = split(line)
        for action in ACTIONS:
            typed(action, words)
    except QuarterdeckError:
        return


# ---- looking


async def test_looking() -> None:
    talk = Talk(FakeDesk())
    assert (await talk.says("status"))[:2] == [
        "All 4 endpoints are OK.",
        "lab is OK; model qwen3:8b.",
    ]
    assert (await talk.says("STATUS lab"))[:2] == [
        "lab is OK.",
        "It is ollama 0.32.0, at http://127.0.0.1:8000/lab, boundary local.",
    ]
    assert await talk.says("status lba") == ["! no endpoint is called 'lba'", "! Did you mean lab?"]
    assert (await talk.says("models"))[0] == "5 models, 4 of them ready or in memory."
    assert await talk.says("gpus") == ["No machine is watched."]
    assert await talk.says("alerts") == ["No alert is open."]
    assert await talk.says("events") == ["Nothing has happened."]
    assert await talk.says("jobs") == ["There are no jobs."]
    assert await talk.says("show nothing") == [
        "! nothing is called 'nothing'",
        "! There is atlas, cloud, gemma3:12b, lab, nova, other, prod, qwen3-32b and 1 more.",
    ]
    assert await talk.says('status "lab') == [
        "! that can't be read: no closing quotation",
        "! A quote that begins has to end.",
    ]
    assert len(await talk.says("help")) > len(commands.COMMANDS)
    assert await talk.says("help rm") == [
        "rm MODEL (--on ENDPOINT): Delete the model from the endpoint's disk.",
        "--on: where (repeatable); needed where several could be meant.",
    ]
    assert await talk.says("\x1b[A") == ["That was no word: arrow and function keys mean nothing here."]
    assert (await talk.says("help ?"))[0].startswith("help (COMMAND): ")


async def test_a_machine_is_shown_with_its_gpus() -> None:
    desk = FakeDesk()
    desk.newest = replace(desk.newest, hosts=(host_view("box", gpu(0), gpu(1, lost=True)),))
    said = await Talk(desk).says("show box")
    assert said[0] == "box: processor 12 percent busy, memory 55.0 gibibytes of 128 gibibytes, 2 GPUs."
    assert said[2].startswith("GPU 1 of box, NVIDIA H100 80GB HBM3: lost, these values are its last ones")
    assert await Talk(desk).says("gpus") == said


async def test_how_often_and_when_it_looks() -> None:
    desk = FakeDesk()
    talk = Talk(desk)
    assert await talk.says("interval") == ["The servers are asked every 2 seconds."]
    assert await talk.says("interval 500ms") == ["The servers are asked every 0.5 seconds."]
    assert await talk.says("interval x") == ["! 'x' is no time", "! It is typed so: interval 2, or interval 500ms."]
    assert await talk.says("pause") == ["No server is asked now; pause again goes on."]
    assert await talk.says("pause") == ["The servers are asked again."]
    assert await talk.says("refresh lab") == ["Asking lab now."]
    assert desk.calls == [("set_interval", 0.5), ("pause", True), ("pause", False), ("refresh", "lab")]


async def test_quiet_and_speaking_again() -> None:
    desk = FakeDesk()
    talk = Talk(desk)
    assert (await talk.says("quiet"))[0].startswith("Quiet.")
    down = [replace(view, state=State.DOWN, reason="refused", since=None) for view in desk.newest.endpoints[:1]]
    desk.newest = replace(desk.newest, endpoints=(*down, *desk.newest.endpoints[1:]))
    talk.here.look()
    assert talk.here.news() == []
    (line,) = await talk.says("")
    assert line.endswith("lab is DOWN: refused.")
    assert await talk.says("") == ["Nothing new. Of 4 endpoints, 1 is DOWN and 3 are OK."]
    assert await talk.says("speak trouble") == ["Telling what is wrong, what is over, and how jobs end."]
    assert talk.here.level is Level.TROUBLE
    assert (await talk.says("speak nonsense"))[0].startswith("! speak 'nonsense' is not known")


async def test_alerts_are_acknowledged_and_silenced(tmp_path: Path) -> None:
    desk = FakeDesk()
    talk = Talk(desk)
    desk.alarms = None  # type: ignore[attr-defined]
    assert (await talk.says("ack"))[0] == "! alerts are switched off"
    alarms = Alarms(desk.fleet, path=tmp_path / "alerts.json", wall=desk.clock.wall)
    desk.alarms = alarms  # type: ignore[attr-defined]
    assert await talk.says("ack") == ["! no alert is open"]
    for _ in range(8):
        desk.frozen.advance(1)
        views = [
            endpoint_view(name, now=desk.frozen.monotonic, state=State.DOWN, reason="refused")
            for name in ("lab", "prod")
        ]
        desk.newest = alarms.look(
            replace(desk.newest, endpoints=tuple(views), at=desk.frozen.monotonic, time=desk.frozen.wall)
        )
    assert await talk.says("ack") == ["! which alert?", "! It is typed so: ack KEY. Open are down lab, down prod."]
    assert await talk.says("ack lab") == ["Acknowledged: down lab."]
    assert await talk.says("ack down prod seen by the night shift") == ["Acknowledged: down prod."]
    assert [alert.acknowledged.note for alert in alarms.open if alert.acknowledged] == ["", "seen by the night shift"]
    assert (await talk.says("silence lab 2h"))[0].startswith("Silent until ")
    assert await talk.says("silence lab") == ["! for how long?", "! It is typed so: silence NAME 2h."]
    desk.newest = alarms.look(desk.newest)
    said = await talk.says("alerts")
    assert said[0] == "2 alerts are open, 2 of them critical."
    assert "Likely cause" in said[1]
    assert said[2].endswith("Cause and what to try are as before.")


# ---- asking


async def test_an_answer_is_read_out_and_gone_on_with(wire: Wire) -> None:
    wire.on(
        "lab", answer("The sky is blue because short waves scatter. ", "That is", " all."), answer("And the sea too.")
    )
    talk = Talk(FakeDesk())
    assert await talk.says("ask qwen3:8b@lab Why's the sky blue?") == [
        "Asking qwen3:8b on lab.",
        "The sky is blue because short waves scatter.",
        "That is all.",
        "End of the answer: 5 tokens, first after 0 milliseconds.",
    ]
    assert wire.prompts("lab") == ["Why's the sky blue?"]
    assert "And the sea too." in await talk.says("more And the sea?")
    assert [message.text for message in wire.asked[1][1].messages] == [
        "Why's the sky blue?",
        "The sky is blue because short waves scatter. That is all.",
        "And the sea?",
    ]


async def test_a_prompt_that_was_not_typed_is_asked_for(wire: Wire) -> None:
    talk = Talk(FakeDesk(), "hello", "")
    assert (await talk.says("ask qwen3:8b@lab"))[0] == "Your prompt to qwen3:8b:"
    assert wire.prompts("lab") == ["hello"]
    assert (await talk.says("ask qwen3:8b@lab"))[1] == "! nothing was asked"
    assert (await talk.says("ask nope@lab hi"))[0] == "! lab has no model 'nope'"
    assert (await Talk(FakeDesk()).says("more hi"))[0] == "! there is no conversation to go on with"


async def test_a_prompt_leaves_only_where_somebody_agrees(wire: Wire) -> None:
    talk = Talk(FakeDesk(), "n", "status", "y")
    assert await talk.says("ask qwen3:8b@lab hi")
    for _ in range(2):
        said = await talk.says("ask atlas@cloud secret")
        assert said[-1] == "! nothing was sent"
    assert talk.here.left_over == "status", "what is no answer is the next command"
    talk.here.left_over = None
    assert wire.prompts("cloud") == []
    said = await talk.says("ask atlas@cloud hi")
    assert "Asking atlas on cloud, which is external." in said
    assert wire.prompts("cloud") == ["hi"]
    assert (await talk.says("ask atlas@cloud again"))[0] == "Asking atlas on cloud, which is external."


async def test_a_prompt_that_must_not_leave_does_not(wire: Wire) -> None:
    talk = Talk(FakeDesk(config=fleet_file(Policy(external=Rule.NEVER))), "y")
    assert (await talk.says("ask atlas@cloud hi"))[0].startswith("! cloud: [policy] external")
    read_only = Talk(FakeDesk(config=fleet_file(read_only=True)), "y")
    assert "read_only" in (await read_only.says("ask qwen3:8b@lab hi"))[0]
    assert wire.asked == []


async def test_answers_that_fail_think_or_say_nothing(wire: Wire) -> None:
    talk = Talk(FakeDesk())
    wire.on("lab", Script([failure("connection refused")]))
    assert (await talk.says("ask qwen3:8b@lab hi"))[1] == "The answer FAILED: connection refused."
    wire.on("lab", Script([Piece(reasoning="hm "), Piece(reasoning="hm"), "\x1b[31mred\x07\n", DONE]))
    assert (await talk.says("ask qwen3:8b@lab hi"))[1:3] == ["It thinks first.", "red"]
    wire.on("lab", Script([DONE]))
    assert (await talk.says("ask qwen3:8b@lab hi"))[1].endswith("It said nothing.")


async def test_news_wait_while_an_answer_is_read_out(wire: Wire) -> None:
    go = asyncio.Event()
    wire.on("lab", Script(["One line.\n", go, "Another.\n", DONE]))
    desk = FakeDesk()
    talk = Talk(desk)
    asking = asyncio.ensure_future(talk.says("ask qwen3:8b@lab hi"))
    while "One line." not in talk.spoken.lines:
        await asyncio.sleep(0)
    desk.newest = replace(
        fleet_view(), endpoints=(replace(desk.newest.endpoints[0], state=State.BUSY, reason="9 waiting"),)
    )
    talk.here.look()
    assert talk.here.news() == []
    go.set()
    assert "Another." in await asking
    assert len(talk.here.news()) == 1


async def test_an_answer_that_is_stopped_ends_the_request(wire: Wire) -> None:
    wire.on("lab", Script(["One line.\n", asyncio.Event(), DONE]))
    talk = Talk(FakeDesk())
    asking = asyncio.ensure_future(talk.says("ask qwen3:8b@lab hi"))
    while "One line." not in talk.spoken.lines:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert wire.open == 0


# ---- acting


async def test_nothing_is_changed_where_nothing_may_be() -> None:
    talk = Talk(FakeDesk(config=fleet_file(read_only=True)), "y")
    assert (await talk.says("rm gemma3:12b --on lab"))[
        0
    ] == "! Delete gemma3:12b on lab: read-only: nothing may be changed from here"
    talk = Talk(FakeDesk(), "y")
    talk.here.problems = ("fleet.toml:3: nonsense",)
    assert (await talk.says("pull qwen3:8b --on lab"))[0] == "! nothing is changed while the fleet file is wrong"
    assert (await Talk(FakeDesk()).says("pull x --on prod"))[
        0
    ] == "! pull x on prod: a vLLM serves the model it was started with"


@pytest.mark.parametrize("said", ["n", "", "no", "status"])
async def test_what_is_no_yes_is_a_no(said: str) -> None:
    talk = Talk(FakeDesk(), said)
    told = await talk.says("rm gemma3:12b --on lab")
    assert told == ["Deletes it from its disk.", "Delete gemma3:12b on lab? Yes or no? [no]", "! nothing was done"]
    assert talk.here.left_over == (said if said == "status" else None)
    assert await talk.says("jobs") == ["There are no jobs."]


async def test_the_end_of_input_is_a_no() -> None:
    talk = Talk(FakeDesk())
    assert (await talk.says("rm gemma3:12b --on lab"))[-1] == "! nothing was done"
    assert await talk.here.line() is None


async def test_what_is_protected_has_its_name_typed() -> None:
    desk = FakeDesk()
    lab = replace(desk.fleet.endpoints[0], protected=True)
    desk.fleet = replace(desk.fleet, endpoints=(lab, *desk.fleet.endpoints[1:]))
    told = await Talk(desk, "yes").says("rm gemma3:12b --on lab")
    assert told[1:] == [
        "lab is protected. Type its name to delete gemma3:12b on lab:",
        "! lab is protected: nothing was done",
    ]
    assert (await Talk(desk, "lab").says("rm gemma3:12b --on lab --confirm nope"))[
        -1
    ] == "! lab is protected: nothing was done"


async def test_a_dry_run_says_what_would_be() -> None:
    desk = FakeDesk()
    told = await Talk(desk).says("rm gemma3:12b --on lab --dry-run")
    assert told[0] == "Delete gemma3:12b on lab would ask first."
    assert await Talk(desk).says("jobs") == ["There are no jobs."]


def test_a_view_of_a_model() -> None:
    from quarterdeck.reader.endpoints import model_line

    one = model("qwen3:8b", size_bytes=2**33, vram_bytes=2**32, context_length=4096, expires_at=float("inf"))
    assert model_line(one, 0.0, "lab") == (
        "Model qwen3:8b on lab is loaded: 8.0 gibibytes, 50 percent of it on GPUs, context 4096 tokens, stays for ever."
    )


# ---- jobs


async def test_jobs_are_listed_cancelled_resumed_and_their_logs_read(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers()
    monkeypatch.setattr("quarterdeck.engine.jobs.folder.spawn_worker", workers)
    folder = JobFolder()
    made = folder.create(job())
    talk = Talk(FakeDesk())
    assert await talk.says("jobs") == [f"Job {made.id}, pull qwen3:8b on e, waits for its turn."]
    assert await talk.says(f"jobs log {made.id}") == ["It has written nothing."]
    folder.log_path(made.id).write_text("one\n\n\x1b[2Jtwo 3 MiB/s\n")
    assert await talk.says(f"jobs log {made.id[:3]}") == ["one", "two 3 mebibytes per second"]
    assert await talk.says(f"jobs cancel {made.id}") == [f"Job {made.id}, pull qwen3:8b on e, is asked to stop."]
    assert folder.cancelled(made.id)
    workers.dies(made.id)
    assert (await talk.says("jobs"))[0].startswith(f"Job {made.id}, pull qwen3:8b on e, is DEAD: its worker is gone")
    assert await talk.says(f"jobs resume {made.id}") == [f"Job {made.id}, pull qwen3:8b on e, begins again."]
    assert (await talk.says("jobs cancel"))[0] == "! which job?"
    assert (await talk.says("jobs fly"))[0] == "! jobs can't 'fly'"
    assert (await talk.says("jobs log zzzzz"))[0] == "! no job is called 'zzzzz'"
    workers.dies(made.id)


async def test_a_job_is_watched_to_its_end() -> None:
    desk = FakeDesk()
    talk = Talk(desk)
    assert await talk.says("jobs watch") == ["No job goes on."]
    one = job(id="abcde", state=JobState.RUNNING)
    desk.newest = replace(desk.newest, jobs=(one,))
    await talk.says("quiet")
    watching = asyncio.ensure_future(talk.says("jobs watch"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not watching.done()
    desk.newest = replace(desk.newest, jobs=(replace(one, state=JobState.DONE, words="pulled"),))
    talk.here.look()
    talk.here.ticked.set()
    assert await watching == ["Job abcde, pull qwen3:8b on e, is done: pulled."]
