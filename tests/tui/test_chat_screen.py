"""The chat on the screen: what it shows in every state, what its keys do, what may not happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual import events

from chat_fakes import DONE, FakeDesk, Script, Wire, answer, failure, fleet_file, wire
from console_driver import Console
from fakes import FrozenClock
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.comparing.files import Files
from quarterdeck.model.cases.reading import Wishes, read
from quarterdeck.model.chat.answer import Ending, Piece, ServerTimings, Usage
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.chat.entering import open_chat
from quarterdeck.tui.chat.picker import PickScreen
from quarterdeck.tui.screens.chat import ChatScreen
from quarterdeck.tui.screens.fleet import FleetScreen

__all__ = ["wire"]


@asynccontextmanager
async def chatting(
    *columns: tuple[str, str], size: tuple[int, int] = (120, 36), config: FleetConfig | None = None
) -> AsyncIterator[Console]:
    """The chat is open, with these columns."""
    clock = FrozenClock()
    desk = FakeDesk(clock, config)
    app = ConsoleApp(desk.fleet, make_engine=lambda _: desk, clock=clock.clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        it = Console(app, pilot, desk, clock)
        for endpoint, model in columns:
            open_chat(app, endpoint, model)
        if not columns:
            await it.press("4")
        await it.sees(" Chat")
        await pilot.pause()
        yield it


async def paint(it: Console) -> None:
    """What came is on the screen."""
    for _ in range(10):
        await it.pilot.pause()
    it.clock.advance(1.0)
    await it.tick()


def chat(it: Console) -> ChatScreen:
    screen = it.app.in_view
    assert isinstance(screen, ChatScreen)
    return screen


async def ask(it: Console, text: str = "go") -> None:
    await it.press(*text, "enter")


def columns(it: Console) -> list[tuple[str, str]]:
    return [(column.endpoint, column.model) for column in chat(it).sitting.talk.columns]


def ending(it: Console, place: int) -> Ending | None:
    turn = chat(it).sitting.talk.columns[place].last
    assert turn is not None
    return turn.answer.ending


# ---- states


async def test_it_opens_with_a_model_that_is_in_memory_and_the_prompt_has_the_keys(
    wire: Wire,
) -> None:  # key: view_chat # key: submit
    async with chatting() as it:
        assert "qwen3:8b  lab · ollama" in it.text
        assert "Nothing was asked yet." in it.text
        await ask(it, "hello xqv")
        await it.sees("yes")
        assert wire.prompts("lab") == ["hello xqv"]


async def test_an_answer_streams_and_its_numbers_stand_beneath_it(wire: Wire) -> None:
    gate = asyncio.Event()
    done = Piece(finish="stop", usage=Usage(1204, 41), timings=ServerTimings("Ollama", prompt_s=0.31, decode_s=2.0, output_tokens=41, total_s=2.5))  # fmt: skip
    async with chatting(("lab", "qwen3:8b")) as it:
        steps: list[Any] = [
            partial(it.clock.advance, 0.4),
            "Hello ",
            partial(it.clock.advance, 2.0),
            "world",
            gate,
            done,
        ]
        wire.on("lab", Script(steps))
        await ask(it)
        await it.sees("Hello world")
        await it.sees("TTFT 400 ms")
        assert "answering 2 s" in it.text
        assert "Esc cancel all" in it.text
        gate.set()
        for text in ("TTFT 400 ms", "20 tok/s", "in 1204", "out 41", "total 2.4 s", "stop", "warm", "queue 0", "$ –"):
            await it.sees(text)
        await it.sees("it says 20 tok/s  prompt 310 ms  total 2.5 s  (Ollama)")
        await it.sees("session: 1204 in, 41 out")


async def test_what_it_waits_for_is_said(wire: Wire) -> None:
    for name in ("lab", "prod"):
        wire.on(name, Script([asyncio.Event()]))
    async with chatting(("lab", "gemma3:12b"), ("prod", "qwen3-32b")) as it:
        await ask(it)
        it.clock.advance(3)
        await it.tick()
        await it.sees("loading the model 3 s")
        await it.sees("waiting 3 s; 4 queued there")
        await it.press("escape")


FAULTS = [
    ([failure("connection reset")], "FAILED: connection reset"),
    (["half", failure("connection reset")], "what came before is kept"),
    (["half", ValueError("surprise")], "FAILED: the answer can't be read (ValueError)"),
    ([DONE], "the answer is empty"),
    (["long ", Piece(finish="length", usage=Usage(1, 2))], "the answer was cut"),
    ([Piece(text="x", note="temperature is ignored"), DONE], "· temperature is ignored"),
]


@pytest.mark.parametrize(("steps", "word"), FAULTS)
async def test_each_column_ends_with_the_right_word_and_the_other_goes_on(
    wire: Wire, steps: list[Any], word: str
) -> None:
    wire.on("lab", Script(steps))
    wire.on("prod", answer("all is well"))
    async with chatting(("lab", "a"), ("prod", "b"), size=(160, 36)) as it:
        await ask(it)
        await it.sees(word)
        await it.sees("all is well")


HOSTILE = [
    "\x1b[2J\x1b[31mred\x07 \x9b1;1H\x1b]0;title\x07\x1b]8;;http://x\x1b\\link",
    "[bold]markup[/bold] [@click=app.quit]x[/] [link=http://x]y[/link]",
    "a\r\nb\rc\x00\x08\x7f\u202eturned\u200b",
    "日本語" * 200 + "e" + "\u0301" * 50,
    "`" * 300 + "\n" + "> " * 500 + "\n" + "[" * 3000,
    "&#27;[2J &#x9b;1H",
    "x" * 10_000_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_text_leaves_the_screen_clean(wire: Wire, text: str) -> None:
    wire.on("lab", Script([text, "\n\nthe end", DONE]))
    wire.on("prod", answer("untouched"))
    async with chatting(("lab", "a"), ("prod", "b")) as it:
        await ask(it)
        for _ in range(400):
            await it.pilot.pause()
            it.app.tick()
            if "the end" in it.text:
                break
        await it.sees("the end")
        assert "untouched" in it.text
        screen = it.app.screen
        for line in screen._compositor.render_strips(it.app.size):
            assert line.cell_length == 120
            assert line.text.isprintable(), repr(line.text)
        assert "[31m" not in it.text or "red" in it.text
        await it.press("escape")


async def test_a_resize_while_it_streams_wraps_anew_and_loses_nothing(wire: Wire) -> None:
    gate = asyncio.Event()
    wire.on("lab", Script(["word " * 60, gate, "last", DONE]))
    async with chatting(("lab", "a"), size=(120, 36)) as it:
        await ask(it)
        await it.sees("word word")
        for size in ((80, 24), (40, 10), (200, 60)):
            await it.pilot.resize_terminal(*size)
            await it.sees("word word")
        gate.set()
        await it.sees("last")
        assert it.text.count("word") == 60


@pytest.mark.parametrize(("size", "seen"), [((80, 24), 1), ((120, 36), 2), ((200, 60), 4), ((40, 10), 1)])
async def test_so_many_columns_are_in_view_and_the_others_are_tabs(
    wire: Wire, size: tuple[int, int], seen: int
) -> None:  # key: write # key: previous_column # key: next_column
    wanted = (("lab", "qwen3:8b"), ("prod", "qwen3-32b"), ("lab", "gemma3:12b"), ("prod", "other"))
    async with chatting(*wanted, size=size) as it:
        assert sum(pane.display for pane in chat(it).columns) == seen
        await ask(it)
        await it.sees("yes")
        assert len([1 for name, _ in wire.asked]) == 4
        await it.press("tab", "h", "h", "h")
        assert chat(it).sitting.at == 0
        await it.sees("▌qwen3:8b")
        await it.press("l")
        assert chat(it).sitting.at == 1


# ---- leaving and coming back, keys


async def test_answers_come_in_while_nobody_looks(wire: Wire) -> None:
    gate = asyncio.Event()
    wire.on("lab", Script(["begun ", gate, "and ended", DONE]))
    async with chatting(("lab", "a")) as it:
        await ask(it)
        await it.sees("begun")
        await it.press("tab", "1")
        assert isinstance(it.app.screen, FleetScreen)
        gate.set()
        for _ in range(20):
            await it.pilot.pause()
        await it.press("4")
        await it.sees("begun and ended")


async def test_a_draft_outlives_the_screen(wire: Wire) -> None:
    async with chatting(("lab", "a")) as it:
        await it.press(*"half a", "escape", "escape")
        assert isinstance(it.app.screen, FleetScreen)
        await it.press("4")
        await it.sees("half a")
        assert wire.asked == []


async def test_escape_cancels_all_x_cancels_one_and_retry_asks_one(
    wire: Wire,
) -> None:  # key: cancel_column # key: retry_column
    wire.on("lab", Script(["half", asyncio.Event()]), answer("again"))
    wire.on("prod", Script(["part", asyncio.Event()]))
    async with chatting(("lab", "a"), ("prod", "b")) as it:
        await ask(it)
        await it.sees("half")
        await it.press("tab", "h", "x")
        await it.sees("── cancelled ──")
        assert [ending(it, 0), ending(it, 1)] == [Ending.CANCELLED, None]
        await it.press("R")
        await it.sees("again")
        await it.press("escape")
        for _ in range(5):
            await it.pilot.pause()
        assert [ending(it, 0), ending(it, 1)] == [Ending.DONE, Ending.CANCELLED]
        assert isinstance(it.app.screen, ChatScreen)


def burst(app: ConsoleApp, text: str) -> None:
    """All at once: nothing is drawn or mounted between two keys."""
    for character in text:
        app.post_message(events.Key({"\n": "enter", "\t": "tab", " ": "space"}.get(character, character), character if character.isprintable() else None))  # fmt: skip


@pytest.mark.parametrize("words", ["a quit dxRvbsS", "Paste: q1256 DULP", "yes\n"])
async def test_what_is_typed_ahead_of_the_prompt_is_never_a_command(wire: Wire, words: str) -> None:
    clock = FrozenClock()
    desk = FakeDesk(clock)
    app = ConsoleApp(desk.fleet, make_engine=lambda _: desk, clock=clock.clock)
    async with app.run_test(size=(120, 36)) as pilot:
        it = Console(app, pilot, desk, clock)
        await pilot.pause()
        burst(app, "4" + words)
        for _ in range(20):
            await pilot.pause()
        assert isinstance(app.screen, ChatScreen)
        assert columns(it) == [("lab", "qwen3:8b")]
        if words.endswith("\n"):
            await it.sees("▌ yes")
        else:
            assert app.screen.prompt.text == words


async def test_enter_sends_ctrl_j_is_a_new_line_and_up_brings_back_what_was_sent(wire: Wire) -> None:
    async with chatting(("lab", "a")) as it:
        await it.press(*"one", "ctrl+j", *"two", "enter")
        await it.sees("▌ two")
        assert wire.prompts("lab") == ["one\ntwo"]
        await it.press(*"draft", "up")
        assert chat(it).prompt.text == "one\ntwo"
        await it.press("down")
        assert chat(it).prompt.text == "draft"


async def test_a_long_paste_is_folded_and_sent_whole(wire: Wire) -> None:
    async with chatting(("lab", "a")) as it:
        it.app.screen.focused.post_message(events.Paste("sum up \x1b[2J" + "@/etc/passwd " * 500))  # type: ignore[union-attr]
        await it.sees("[paste 1:")
        await it.press("enter")
        await it.sees("yes")
        assert wire.prompts("lab") == ["sum up " + "@/etc/passwd " * 500]


async def test_models_are_picked_by_typing_and_changed_and_removed(
    wire: Wire,
) -> None:  # key: add_column # key: change_column # key: remove_column
    async with chatting(("lab", "qwen3:8b")) as it:
        await it.press("tab", "a")
        assert isinstance(it.app.screen, PickScreen)
        await it.sees("EXTERNAL served")
        await it.press(*"32b", "enter")
        await it.sees("qwen3-32b  prod · vllm")
        await it.press("m", *"gemma", "enter")
        await it.sees("gemma3:12b  lab")
        assert columns(it) == [("lab", "qwen3:8b"), ("lab", "gemma3:12b")]
        await it.press("d")
        assert columns(it) == [("lab", "qwen3:8b")]


async def test_shift_c_on_the_fleet_adds_what_is_selected(wire: Wire) -> None:  # key: chat
    async with chatting() as it:
        await it.press("tab", "1")
        for _ in range(9):
            if it.selected == "prod":
                break
            await it.press("down")
        await it.press("C")
        await it.sees("qwen3-32b  prod · vllm")
        assert ("prod", "qwen3-32b") in columns(it)


async def test_settings_are_checked_at_once_and_sent(wire: Wire) -> None:  # key: chat_settings
    async with chatting(("lab", "a")) as it:
        await it.press("tab", "s")
        await it.sees("system prompt")
        await it.press("down", "down", *"7", "enter")
        await it.sees("expected more than 0 to 1")
        await it.press("backspace", *"0.5", "enter")
        await it.sees("top-p 0.5")
        await it.press("tab", *"go", "enter")
        await it.sees("yes")
        assert wire.asked[0][1].sampling.top_p == 0.5


# ---- boundary


async def test_an_external_column_asks_once_and_no_letter_says_yes(wire: Wire) -> None:
    async with chatting(("cloud", "atlas"), ("lab", "qwen3:8b")) as it:
        assert "EXTERNAL" in it.text
        await ask(it, "secret")
        await it.sees("leaves for api.together.ai")
        assert wire.asked == []
        await it.press(*"yes", "enter")
        await it.sees("NOT SENT")
        assert [name for name, _ in wire.asked] == ["lab"]
        await ask(it, "again")
        await it.sees("leaves for api.together.ai")
        await it.press("left", "enter")
        for _ in range(10):
            await it.pilot.pause()
        assert wire.prompts("cloud") == ["again"]
        await ask(it, "third")
        for _ in range(10):
            await it.pilot.pause()
        assert wire.prompts("cloud") == ["again", "third"]


async def test_each_external_endpoint_is_asked_for(wire: Wire) -> None:
    async with chatting(("cloud", "atlas"), ("other", "nova"), ("lab", "qwen3:8b"), size=(200, 60)) as it:
        await ask(it)
        await it.sees("api.together.ai")
        await it.press("left", "enter")
        await it.sees("openrouter.ai")
        await it.press("escape")
        await it.sees("NOT SENT")
        assert {name for name, _ in wire.asked} == {"cloud", "lab"}


async def test_never_and_read_only_are_said(wire: Wire) -> None:
    async with chatting(("cloud", "atlas"), ("lab", "a"), config=fleet_file(Policy(Rule.NEVER))) as it:
        await ask(it)
        await it.sees("NOT SENT")
        await it.sees("no prompt leaves")
    async with chatting(("lab", "a"), config=fleet_file(read_only=True)) as it:
        await ask(it)
        await it.sees("read-only: nothing is sent")
    assert wire.prompts("cloud") == []
    assert wire.prompts("lab") == ["go"]


async def test_an_attached_file_is_shown_resolved_and_a_bad_one_is_refused(wire: Wire, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("remember")
    async with chatting(("lab", "a"), size=(160, 36)) as it:
        it.app.screen.focused.insert(f"read @{note}")  # type: ignore[union-attr]
        await it.press("enter")
        await it.sees(f"attached {note}")
        assert "remember" in wire.prompts("lab")[0]
        it.app.screen.focused.insert("read @/no/such")  # type: ignore[union-attr]
        await it.press("enter")
        await it.sees("not sent: there is no file /no/such")
        assert chat(it).prompt.text == "read @/no/such"


# ---- judging, cases


async def test_blind_hides_every_name_until_a_vote(wire: Wire) -> None:  # key: blind # key: vote
    wire.on("lab", answer("first"))
    wire.on("prod", answer("second"))
    async with chatting(("lab", "qwen3:8b"), ("prod", "qwen3-32b")) as it:
        await it.press("tab", "b", "tab")
        await ask(it)
        await it.sees("first")
        await it.sees("second")
        await it.sees("done")
        shown = it.text
        assert not [word for word in ("qwen", "lab ·", "prod ·", "tok/s", "TTFT") if word in shown]
        place = next(n for n, column in enumerate(chat(it).sitting.talk.columns) if column.endpoint == "prod")
        await it.press("tab", "v", str(place + 1))
        await it.sees("qwen3-32b  prod")
        vote = chat(it).sitting.votes[0]
        assert (vote.first, vote.second, vote.choice) == ("qwen3-32b@prod", "qwen3:8b@lab", "first")


async def test_differences_votes_notes_and_numbers_are_pages(
    wire: Wire,
) -> None:  # key: word_diff # key: annotate # key: about_answer
    wire.on("lab", answer("the same old words"))
    wire.on("prod", answer("the same new words"))
    async with chatting(("lab", "a"), ("prod", "b")) as it:
        await ask(it)
        await it.sees("new words")
        await it.press("tab", "v", "t")
        await it.sees("voted")
        await it.press("D")
        await it.sees("the same {+old+}[-new-] words" if chat_at(it) == 0 else "the same [-new-]{+old+} words")
        await it.press("escape", "o")
        await it.sees("Measured here")
        await it.press("escape", "n", *"good", "enter")
        await it.sees("note: good")
        it.app.do_palette()
        await it.pilot.pause()
        await it.press(*"votes", "enter")
        await it.sees("1 tie, 0 both bad")


def chat_at(it: Console) -> int:
    return it.app.chat.at if it.app.chat is not None else -1


async def test_a_prompt_becomes_a_case(wire: Wire, tmp_path: Path) -> None:  # key: save_case
    path = tmp_path / "cases.jsonl"
    path.write_text('{"prompt": "old"}')
    async with chatting(("lab", "a")) as it:
        it.app.screen.focused.insert("keep {{ me }}")  # type: ignore[union-attr]
        await it.press("enter")
        await it.sees("yes")
        chat(it).sitting.case_file = str(path)
        await it.press("ctrl+s")
        await it.sees("The last prompt as a case")
        await it.press("c")
        await it.sees("Save the last prompt")
        await it.press("enter")
        await it.sees("saved as line 2")
    files = Files()
    suite = read([files.found(str(path))], files.fetch, Wishes())
    assert [[message.text for message in case.messages] for case in suite.cases] == [["old"], ["keep {{ me }}"]]


async def test_no_prompt_is_found_on_disk(wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    async with chatting(("lab", "a")) as it:
        await ask(it, "marmalade")
        await it.sees("yes")
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"marmalade" in path.read_bytes()] == []


async def test_raw_text_thoughts_and_a_new_conversation(
    wire: Wire,
) -> None:  # key: formatted # key: thoughts # key: new_chat
    wire.on("lab", Script([Piece(reasoning="let me think"), "# Title\n\n**bold**", DONE]))
    async with chatting(("lab", "a")) as it:
        await ask(it)
        await it.sees("▸ thought for 0 ms, 3 words")
        for _ in range(1000):
            await it.pilot.pause()
            if "# Title" not in it.text:
                break
        assert "Title" in it.text
        assert "**" not in it.text
        await it.press("tab", "f")
        await it.sees("# Title")
        await it.sees("**bold**")
        await it.press("z")
        await it.sees("│ let me think")
        await it.press("ctrl+n")
        await it.sees("Nothing was asked yet.")


async def test_own_settings_of_a_column_one_by_one_and_copying(
    wire: Wire,
) -> None:  # key: column_settings # key: serial
    async with chatting(("lab", "a"), ("prod", "b")) as it:
        await it.sees("box runs several: p asks one by one")
        await it.press("tab", "p")
        await it.sees("one by one")
        await it.press("S", "down", *"0.2", "enter")
        await it.sees("This column: temperature 0.2")
        await it.press("i", *"go", "enter")
        await it.sees("yes")
        assert sorted((name, request.sampling.temperature) for name, request in wire.asked) == [
            ("lab", None),
            ("prod", 0.2),
        ]
        assert wire.most_open == 1
        await it.press("tab", "y")
        await it.sees("copied the answer (3 characters)")


async def test_the_prompt_can_be_written_in_an_editor(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # key: editor
    from quarterdeck.tui.chat.editor import command, edited_text

    script = tmp_path / "ed"
    script.write_text('#!/bin/sh\nprintf "%s, edited" "$(cat "$1")" > "$1"\necho "$1" > "$ED_LOG"\n')
    script.chmod(0o700)
    monkeypatch.setenv("ED_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("VISUAL", f"{script} ")
    assert edited_text(command(), "half a prompt") == "half a prompt, edited"
    assert not Path((tmp_path / "log").read_text().strip()).exists()
    assert edited_text(["false"], "x") is None
    monkeypatch.setenv("VISUAL", "no-such-editor")
    async with chatting(("lab", "a")) as it:
        await it.press(*"hi", "ctrl+e")
        await it.sees("there is no no-such-editor")
        assert chat(it).prompt.text == "hi"


async def test_keys_in_a_burst_go_where_they_were_meant_for(wire: Wire) -> None:
    async with chatting(("lab", "qwen3:8b")) as it:
        burst(it.app, "first\nsecond\t")
        burst(it.app, "a")
        burst(it.app, "gemma")
        for _ in range(20):
            await it.pilot.pause()
        assert wire.prompts("lab") == ["first"]
        assert isinstance(it.app.screen, PickScreen)
        await it.sees("gemma3:12b")
        await it.press("enter", "i")
        assert chat(it).prompt.text == "second"
        assert columns(it)[1] == ("lab", "gemma3:12b")


async def test_another_theme_takes_every_line_with_it(wire: Wire) -> None:
    async with chatting(("lab", "a")) as it:
        await ask(it)
        await it.sees("yes")
        it.app.choose_theme("quarterdeck-day")
        await it.pilot.pause()
        wanted = it.app.get_css_variables()["background"]
        assert it.app.ink.style("", "").bgcolor.get_truecolor().hex.lower() == wanted.lower()  # type: ignore[union-attr]


async def test_a_column_with_answers_is_removed_by_who_says_so(wire: Wire) -> None:
    async with chatting(("lab", "a"), ("prod", "b")) as it:
        await ask(it)
        await it.sees("yes")
        await it.press("tab", "d")
        await it.sees("Remove b?")
        await it.press("y", "enter")
        assert len(columns(it)) == 2
        await it.press("d", "left", "enter")
        assert columns(it) == [("lab", "a")]


async def test_a_click_into_the_prompt_gives_it_the_keys(wire: Wire) -> None:
    async with chatting(("lab", "a"), ("prod", "b")) as it:
        await it.press("tab", "d")
        assert columns(it) == [("lab", "a")]
        await it.pilot.click(chat(it).prompt)
        await it.press(*"dx")
        assert chat(it).prompt.text == "dx"


async def test_numbers_that_tell_who_it_is_are_hidden_while_it_streams(wire: Wire) -> None:
    gate = asyncio.Event()
    for name in ("lab", "prod"):
        wire.on(name, Script(["word ", gate, DONE]))
    async with chatting(("lab", "qwen3:8b"), ("prod", "qwen3-32b")) as it:
        await it.press("tab", "b", "tab")
        await ask(it)
        await it.sees("word")
        it.clock.advance(1.0)
        await it.tick()
        await it.sees("answering")
        assert "TTFT" not in it.text
        gate.set()


async def test_a_column_that_failed_is_neither_voted_for_nor_beaten(wire: Wire) -> None:
    wire.on("cloud", Script(["half", failure("reset")]))
    async with chatting(("lab", "a"), ("prod", "b"), ("cloud", "c"), size=(200, 60)) as it:
        chat(it).sitting.session.agree("cloud")
        await ask(it)
        await it.sees("FAILED")
        await it.press("tab", "v")
        await it.sees("it has no answer")
        await it.press("3")
        assert chat(it).sitting.votes == []
        await it.press("1")
        await it.sees("voted: a")
        assert [(vote.first, vote.second) for vote in chat(it).sitting.votes] == [("a@lab", "b@prod")]


async def test_who_reads_back_keeps_the_line_until_the_end_is_asked_for(wire: Wire) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    wire.on("lab", Script(["".join(f"line {n}\n" for n in range(100)), gates[0], "".join(f"more {n}\n" for n in range(100)), gates[1], DONE]))  # fmt: skip
    async with chatting(("lab", "a"), size=(80, 24)) as it:
        await ask(it)
        await it.sees("line 99")
        pane = chat(it).columns[0].text
        assert pane.size.height // 2 <= pane.transcript.length - pane.top <= pane.size.height
        await it.press("tab", "g")
        await it.sees("line 5")
        assert pane.top == 0
        gates[0].set()
        await paint(it)
        assert (pane.top, pane.following) == (0, False)
        await it.press("G")
        await it.sees("more 99")
        gates[1].set()
        await paint(it)
        assert pane.top == pane.transcript.length - pane.size.height


async def written(it: Console, folder: Path, suffix: str) -> str:
    """What was saved, in the background."""
    for _ in range(300):
        for path in folder.glob(f"quarterdeck-chat-*{suffix}"):
            return path.read_text()
        await it.pilot.pause()
        await asyncio.sleep(0.01)
    raise AssertionError(it.text)


async def test_a_conversation_is_saved_while_the_prompt_has_the_keys(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with chatting(("lab", "a"), ("prod", "b")) as it:
        await it.press("ctrl+s")
        await it.sees("Conversation (Markdown)")
        await it.press("m")
        assert "nothing was asked yet" in it.text
        await it.press("escape")
        await ask(it, "marmalade")
        await it.sees("yes")
        await paint(it)
        await it.press(*"draft", "ctrl+s")
        await it.sees("Conversation (Markdown)")
        await it.press("m")
        await it.sees("Save as Conversation")
        await it.press("enter")
        text = await written(it, tmp_path, ".md")
        assert "## a on lab" in text
        assert "## b on prod" in text
        assert "> marmalade\n\nyes" in text
        assert "draft" not in text
        assert chat(it).prompt.text == "draft"
        await it.press("ctrl+s")
        await it.sees("Data (JSON)")
        await it.press("d")
        await it.sees("Save as Data")
        await it.press("enter")
        told = json.loads(await written(it, tmp_path, ".json"))
        assert [one["model"] for one in told["columns"]] == ["a", "b"]
        await it.press("tab", "c")
        await it.sees("copied the answer (3 characters)")


async def test_what_is_hidden_stays_hidden(wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with chatting(("lab", "a"), ("prod", "b")) as it:
        await it.press("tab", "b", "i")
        await ask(it, "marmalade")
        await it.sees("yes")
        await it.press("ctrl+s")
        await it.sees("Conversation (Markdown)")
        assert "names are hidden until you vote" in it.text
        await it.press("m", "escape", "tab", "c", "c")
        await it.sees("the prompt")
        assert "as Markdown" not in it.text
