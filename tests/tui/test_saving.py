"""`ctrl+s` saves the view: as text with every row, as a picture, as the data that the command line prints."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console_driver import Console, console
from fakes import endpoint_view, model, snapshot
from fleets import many, mixed_fleet
from gpu_fleets import gpu_fleet
from jobs import job, order
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.report.jobs import document as job_document
from quarterdeck.report.json import document
from quarterdeck.tui.screens.choose import ChooseScreen
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.form import FormScreen

UNIX = 1_795_370_400.0
NAME = "quarterdeck-fleet-2026-11-22T18-00-00"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def said(it: Console, text: str) -> None:
    for _ in range(300):
        if text in it.app.notice:
            return
        await it.pilot.pause()
        await asyncio.sleep(0.01)
    raise AssertionError(it.app.notice)


async def on_top(it: Console, screen: type[object]) -> None:
    for _ in range(300):
        if isinstance(it.app.screen, screen):
            await it.pilot.pause()
            return
        await it.pilot.pause()
        await asyncio.sleep(0.01)
    raise AssertionError(it.app.screen)


async def saved(it: Console, key: str, suffix: str, tmp_path: Path) -> str:
    """The view as it is saved with the file's name that is proposed."""
    await it.press("ctrl+s")
    await on_top(it, ChooseScreen)
    await it.press(key)
    await on_top(it, FormScreen)
    await it.press("enter")
    await said(it, "saved ")
    files = list(tmp_path.glob(f"*{suffix}"))
    assert len(files) == 1
    text = files[0].read_text()
    files[0].unlink()
    it.clock.advance(60)
    await it.tick()
    return text


async def test_text_has_every_row(tmp_path: Path) -> None:  # key: save
    async with console(many(100)) as it:
        await it.press("N", "G")
        top = it.table.scroll_offset.y
        text = await saved(it, "t", ".txt", tmp_path)
        assert it.table.scroll_offset.y == top > 0
        assert text.splitlines()[0] == "Quarterdeck, fleet, 2026-11-22 18:00:00 UTC"
        assert [f"node-{place:03}" in text for place in range(100)] == [True] * 100
        assert not any(line.endswith(" ") for line in text.splitlines())


async def test_a_picture_is_the_same_twice_and_shows_no_dialog(tmp_path: Path) -> None:
    async with console() as it:
        first = await saved(it, "p", ".svg", tmp_path)
    async with console() as it:
        second = await saved(it, "p", ".svg", tmp_path)
    assert first == second
    assert first.startswith("<svg")
    assert "qwen-prod" in first
    assert "Save&#160;the&#160;view" not in first
    assert "Picture" not in first


async def test_data_is_what_status_prints(tmp_path: Path) -> None:
    async with console(mixed_fleet()) as it:
        text = await saved(it, "d", ".json", tmp_path)
        from quarterdeck.model.verdict import judged

        fleet = it.engine.newest
        assert json.loads(text) == json.loads(json.dumps(document(fleet, judged(fleet, it.app.config.limits))))


async def view_data(it: Console, tmp_path: Path, *keys: str) -> Any:
    await it.press(*keys)
    await it.pilot.pause()
    return json.loads(await saved(it, "d", ".json", tmp_path))


async def test_data_of_the_other_views(tmp_path: Path) -> None:
    alert = Alert("down a", "down", Severity.CRITICAL, "a", "DOWN", UNIX - 300, UNIX - 290, ("refused",), endpoint="a")
    over = replace(alert, key="down b", cleared_at=UNIX - 5)
    happening = Happening(UNIX - 9, Topic.STATE, "a", "DOWN", "refused")
    mac = endpoint_view("mac", engine="ollama", models=(model("qwen3:8b"), model("llama3")))
    made = job(order("pull", "mac", "m:1"), id="abcde")
    fleet = replace(
        snapshot(mac, endpoint_view("a")), alerts=(alert, over), happenings=(happening,), jobs=(made,), time=UNIX
    )
    async with console(fleet) as it:
        models = (await view_data(it, tmp_path, "3"))["models"]
        assert [(each["endpoint"], each["id"], each["state"]) for each in models] == [
            ("mac", "qwen3:8b", "loaded"),
            ("mac", "llama3", "loaded"),
        ]
        alerts = await view_data(it, tmp_path, "5")
        assert [each["key"] for each in alerts["open"]] == ["down a"]
        assert [each["key"] for each in alerts["recent"]] == ["down b"]
        assert alerts["events"][0]["text"] == "refused"
        assert await view_data(it, tmp_path, "6") == [job_document(made)]
        await it.press("1", "slash", *"mac", "enter")
        page = await view_data(it, tmp_path, "enter")
        assert [each["name"] for each in page["endpoints"]] == ["mac"]
        assert page["schema_version"] == 1


async def test_data_of_gpus(tmp_path: Path) -> None:
    async with console(gpu_fleet(), size=(120, 36)) as it:
        hosts = (await view_data(it, tmp_path, "2"))["hosts"]
        assert [each["name"] for each in hosts] == [each.name for each in it.engine.newest.hosts]
        only = (await view_data(it, tmp_path, "enter"))["hosts"]
        assert [len(each["gpus"]) for each in only] == [1]


async def test_a_page_without_data_says_so() -> None:
    async with console() as it:
        await it.press("question_mark", "ctrl+s")
        await on_top(it, ChooseScreen)
        await it.press("d")
        assert "there is no data behind this view" in it.text
        assert isinstance(it.app.screen, ChooseScreen)


async def test_a_file_is_not_overwritten_silently(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.txt").write_text("mine")
    async with console() as it:
        await it.press("ctrl+s")
        await on_top(it, ChooseScreen)
        await it.press("t")
        await on_top(it, FormScreen)
        await it.press("enter")
        await on_top(it, ConfirmScreen)
        await it.sees("is there already")
        assert "4 B. What is in it will be gone." in it.text
        await it.press("enter")
        assert (tmp_path / f"{NAME}.txt").read_text() == "mine", "No is the answer until somebody says yes"
        await it.press("ctrl+s", "t")
        await on_top(it, FormScreen)
        await it.press("enter")
        await on_top(it, ConfirmScreen)
        await it.press("y")
        await said(it, "saved ")
        assert "Quarterdeck, fleet" in (tmp_path / f"{NAME}.txt").read_text()


async def test_a_wrong_name_is_asked_for_again_and_not_lost(tmp_path: Path) -> None:
    async with console() as it:
        await it.press("ctrl+s")
        await on_top(it, ChooseScreen)
        await it.press("t")
        await on_top(it, FormScreen)
        await it.press("home", *"no/", "enter")
        await it.sees("there is no folder")
        form = it.app.screen
        assert isinstance(form, FormScreen)
        assert form.answers["file"] == f"no/{NAME}.txt"
        (tmp_path / "no").mkdir()
        await it.press("enter")
        await said(it, "saved ")
        assert (tmp_path / "no" / f"{NAME}.txt").exists()
        await it.press("ctrl+s")
        await on_top(it, ChooseScreen)
        await it.press("t")
        await on_top(it, FormScreen)
        again = it.app.screen
        assert isinstance(again, FormScreen)
        assert again.answers["file"] == str(tmp_path / "no" / f"{NAME}.txt"), "the folder is remembered"
        await it.press("ctrl+u", "enter")
        await it.sees("a file is needed")


async def test_it_works_while_a_filter_is_typed(tmp_path: Path) -> None:
    async with console() as it:
        await it.press("slash", *"vllm")
        text = await saved(it, "t", ".txt", tmp_path)
        assert "qwen-prod" in text
        assert "openrouter" not in text
        assert it.table.needle == "vllm"
