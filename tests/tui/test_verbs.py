"""The palette with verbs: what it offers, completes, runs and refuses; nothing that was typed is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from console_driver import Console, console
from fakes import endpoint_view, model, snapshot
from fleets import mixed_fleet
from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.models import ModelState
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.endpoint import EndpointScreen
from quarterdeck.tui.screens.form import FormScreen
from quarterdeck.tui.screens.gpus import GpusScreen
from quarterdeck.tui.screens.model import ModelScreen
from quarterdeck.tui.screens.notice import NoticeScreen
from quarterdeck.tui.verbs.screen import VerbScreen

KEYS = {
    " ": "space",
    "-": "minus",
    ":": "colon",
    ".": "full_stop",
    "@": "at",
    "!": "exclamation_mark",
    "_": "underscore",
    "/": "slash",
    "=": "equals_sign",
    "\n": "enter",
    "\t": "tab",
}


async def keys(it: Console, text: str) -> None:
    """Type, as a person does: a tab is Tab, a line feed Enter."""
    for character in text:
        await it.press(KEYS.get(character, character))


def palette(it: Console) -> VerbScreen:
    screen = it.app.screen
    assert isinstance(screen, VerbScreen)
    return screen


def offered(it: Console) -> list[str]:
    return [entry.label for entry in palette(it)._choices.entries]


def fleet() -> FleetSnapshot:
    box = endpoint_view("box", engine="ollama", models=(model("llama3:8b"), model("qwen3:8b", ModelState.INSTALLED)))
    mac = endpoint_view("mac", engine="ollama", models=(model("qwen3:8b"),))
    return snapshot(box, mac, endpoint_view("vllm-a", models=(model("qwen3-32b"),)))


def configured(**console_settings: object) -> FleetConfig:
    names = ("box", "mac", "vllm-a")
    specs = tuple(EndpointSpec(name, f"http://127.0.0.1:1/{name}", protected=name == "vllm-a") for name in names)
    return FleetConfig(endpoints=specs, console=ConsoleSettings(**console_settings))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str | None, dict[str, object], str]]:
    """What got as far as becoming a job."""
    found = []

    async def submit(config: object, order: object, *, confirmed: str = "", **options: object) -> object:
        from jobs import job

        found.append((order.action, order.target, order.model, dict(order.options), confirmed))  # type: ignore[attr-defined]
        return job(order, id="abcde")  # type: ignore[arg-type]

    monkeypatch.setattr("quarterdeck.engine.operate.submit", submit)
    return found


async def settled(it: Console) -> None:
    for _ in range(6):
        await it.pilot.pause()
        await asyncio.sleep(0.01)


# ---- actions


async def test_a_pull_typed_in_full(submitted: list[object]) -> None:
    async with console(fleet(), configured=configured()) as it:
        await keys(it, ":pull qwen3 --on mac")
        assert offered(it)[0] == "▸ Pull qwen3 on mac"
        await it.press("enter")
        await settled(it)
        assert submitted == [("pull", "mac", "qwen3", {}, "")]
        assert "job abcde" in it.app.notice


async def test_tab_completes_word_after_word(submitted: list[object]) -> None:
    async with console(fleet(), configured=configured()) as it:
        await keys(it, ":unl\t")
        assert palette(it).line == "unload "
        await keys(it, "ll\t")
        assert palette(it).line == "unload llama3:8b "
        await keys(it, "--o\tb\t")
        assert palette(it).line == "unload llama3:8b --on box "
        await it.press("enter")
        await settled(it)
        assert submitted == [("unload", "box", "llama3:8b", {}, "")]


async def test_a_load_with_options(submitted: list[object]) -> None:
    async with console(fleet(), configured=configured()) as it:
        await keys(it, ":load qwen3:8b --on box --context 8k --keep-alive=30m\n")
        await settled(it)
        assert submitted == [("load", "box", "qwen3:8b", {"context": 8192, "keep_alive": "30m"}, "")]


async def test_what_destroys_asks_first(submitted: list[object]) -> None:
    async with console(fleet(), configured=configured()) as it:
        await keys(it, ":rm llama3:8b")
        assert "asks first" in it.text
        await keys(it, "\n")
        await settled(it)
        assert isinstance(it.app.screen, ConfirmScreen)
        await keys(it, "\n")
        await settled(it)
        assert not submitted, "No is the answer"
        await keys(it, ":rm llama3:8b\n")
        await settled(it)
        await it.press("y")
        await settled(it)
        assert submitted == [("delete", "box", "llama3:8b", {}, "yes")]


async def test_what_is_protected_asks_for_its_name(submitted: list[object]) -> None:
    async with console(fleet(), configured=configured()) as it:
        await keys(it, ":sleep vllm-a --level 1\n")
        await settled(it)
        assert isinstance(it.app.screen, FormScreen)
        await keys(it, "vllm-a\n")
        await settled(it)
        assert submitted == [("sleep", "vllm-a", None, {"level": 1}, "vllm-a")]


async def test_read_only_says_so(submitted: list[object]) -> None:
    async with console(fleet(), configured=configured(read_only=True)) as it:
        await keys(it, ":pull qwen3 --on mac")
        assert "read-only: nothing may be changed" in it.text
        await keys(it, "\n")
        await settled(it)
        assert isinstance(it.app.screen, NoticeScreen)
        await keys(it, "\n")
        assert not submitted


async def test_a_verb_alone_means_what_is_selected(submitted: list[object]) -> None:
    async with console(fleet(), configured=configured()) as it:
        await it.press("3", "slash", *"llama", "enter")
        await keys(it, ":unload \n")
        await settled(it)
        assert submitted == [("unload", "box", "llama3:8b", {}, "")]
        await it.press("2")
        await keys(it, ":unload \n")
        await settled(it)
        assert "MODEL is missing, such as llama3:8b" in it.text, "nothing is selected there that could be meant"
        assert palette(it).line == "unload "


# ---- what is wrong


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("pull qwen3 --on mak", "Did you mean mac?"),
        ("unload nothing", "no endpoint has a model 'nothing'"),
        ("unload qwen3:8b --on box", "qwen3:8b is not in memory"),
        ("pull qwen3", "Say it with --on: box, mac"),
        ("load qwen3:8b --on box --context lots", "expected a number of tokens"),
        ("pull", "MODEL is missing"),
        ("theme nowhere", "no name is called"),
        ("no such thing", "is no command here"),
    ],
)
async def test_a_wrong_line_stays_and_says_why(typed: str, said: str, submitted: list[object]) -> None:
    async with console(fleet(), configured=configured(), size=(120, 36)) as it:
        await it.press("2")  # where nothing is selected that a verb alone could mean
        await keys(it, f":{typed} \n")
        assert said in " ".join(it.text.split())
        assert palette(it).line == f"{typed} "
        marked = palette(it)._marking.wrong
        assert marked is not None
        await keys(it, "x")
        assert palette(it).line == f"{typed} x"
        assert not submitted


async def test_what_is_still_being_typed_is_not_complained_of() -> None:
    async with console(fleet(), configured=configured()) as it:
        await keys(it, ":pull qwen3 --on ma")
        assert palette(it)._marking.wrong is None
        assert "ENDPOINT" in it.text
        await keys(it, "k ")
        assert palette(it)._marking.wrong is not None
        assert "Did you mean mac?" in it.text
        await it.press("backspace", "backspace", "c")
        assert palette(it)._marking.wrong is None
        assert offered(it)[0] == "▸ Pull qwen3 on mac"


# ---- the console's own


async def test_the_consoles_own_verbs(tmp_path: Path) -> None:
    async with console(mixed_fleet()) as it:
        await keys(it, ":filter vllm\n")
        await settled(it)
        assert it.table.needle == "vllm"
        assert "/vllm 4 of 8" in it.text
        await it.press("escape")
        await keys(it, ":sort name\n")
        await settled(it)
        assert it.table.rows[0].view.name == "coder-b"
        assert it.table.order.id == "name"
        await keys(it, ":interval 5s\n")
        await settled(it)
        assert it.engine.asked("set_interval") == [5.0]
        await keys(it, ":refresh qwen-prod\n")
        await settled(it)
        assert it.engine.asked("refresh") == ["qwen-prod"]
        await keys(it, ":theme quarterdeck-day\n")
        await settled(it)
        assert it.app.theme == "quarterdeck-day"
        await keys(it, ":open qwen-prod\n")
        await settled(it)
        assert isinstance(it.app.screen, EndpointScreen)
        await keys(it, ":open gemma3:27b@ollama-lab\n")
        await settled(it)
        assert isinstance(it.app.screen, ModelScreen)
        await keys(it, ":gpus\n")
        await settled(it)
        assert isinstance(it.app.screen, GpusScreen)
        await keys(it, ":save view.json\n")
        for _ in range(100):
            if (tmp_path / "view.json").exists():
                break
            await settled(it)
        assert "hosts" in (tmp_path / "view.json").read_text()
        await keys(it, ":q\n")
        assert it.app._exit


async def test_enter_takes_what_is_selected_for_a_beginning() -> None:
    async with console(mixed_fleet()) as it:
        await keys(it, ":theme lisb\n")
        await settled(it)
        assert it.app.theme == "lisbon-noon", "nothing is changed on a server: one Enter does"
        await keys(it, ":unload gem\n")
        assert palette(it).line == "unload gemma3:27b ", "an action is run by an Enter of its own"
        await it.press("escape")
        await keys(it, ":open ")
        await it.press("down", "down", "enter")
        await settled(it)
        assert isinstance(it.app.screen, EndpointScreen)


async def test_words_find_commands_and_verbs_come_first() -> None:
    async with console(mixed_fleet()) as it:
        await keys(it, ":theme")
        assert offered(it)[0].startswith("Theme")
        assert "theme [NAME]" in offered(it)
        await it.press("escape")
        await keys(it, ":q")
        assert offered(it)[0] == "Quit"
        await it.press("escape")
        await keys(it, ":unload")
        assert offered(it)[0] == "Unload"
        assert "unload MODEL … [--on ENDPOINT]" in offered(it)
        await it.press("escape")
        await it.press("colon", "colon")
        await keys(it, "gpus")
        assert offered(it)[0] == "GPUs", "a colon too many is none"


# ---- history


async def test_what_was_run_comes_back(submitted: list[object]) -> None:
    async with console(fleet(), configured=configured()) as it:
        await keys(it, ":pull one --on mac\n")
        await settled(it)
        await keys(it, ":pull two --on mac\n")
        await settled(it)
        await it.press("colon", "up")
        assert palette(it).line == "pull two --on mac"
        await it.press("up")
        assert palette(it).line == "pull one --on mac"
        await it.press("up")
        assert palette(it).line == "pull one --on mac", "there is nothing before it"
        await it.press("down", "down")
        assert palette(it).line == ""
        await it.press("ctrl+r")
        assert offered(it) == ["pull two --on mac", "pull one --on mac"]
        await keys(it, "one")
        assert offered(it) == ["pull one --on mac"]
        await it.press("tab")
        assert palette(it).line == "pull one --on mac"
        await it.press("ctrl+r", "escape")
        assert palette(it).line == "pull one --on mac"
        await it.press("enter")
        await settled(it)
        assert len(submitted) == 3
        assert not JobFolder().read_all()


async def test_a_click_takes_a_candidate() -> None:
    async with console(fleet(), configured=configured()) as it:
        await keys(it, ":unload ")
        place = offered(it).index("llama3:8b")
        await it.pilot.click("#choices", offset=(5, place))
        await it.pilot.pause()
        assert palette(it).line == "unload llama3:8b "


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)])
async def test_it_fits_every_terminal(size: tuple[int, int]) -> None:
    async with console(mixed_fleet(), size=size) as it:
        await keys(it, ":unload gem")
        assert "gemma3:27b" in it.text
        await keys(it, "\t--on nowhere ")
        assert "nowhere" in it.text
        assert all(len(line) <= size[0] for line in it.text.splitlines())


async def test_keys_that_arrive_together_act_in_their_order(submitted: list[object]) -> None:
    """As on a slow line: a backspace takes what was typed before it, Tab completes what is there by then."""
    from textual.events import Key

    async with console(fleet(), configured=configured()) as it:
        await it.press("colon")
        await it.pilot.pause()
        for key in ("x", "backspace", *"unl", "tab", *"lx", "backspace", "tab", "enter"):
            it.app.post_message(Key(key, key if len(key) == 1 else None))
        await settled(it)
        await settled(it)
        assert submitted == [("unload", "box", "llama3:8b", {}, "")]


async def test_a_theme_is_seen_while_it_is_selected() -> None:
    async with console() as it:
        before = it.app.theme
        await keys(it, ":theme ")
        await it.press("down", "down")
        await settled(it)
        assert it.app.theme != before
        await it.press("escape")
        await settled(it)
        assert it.app.theme == before
