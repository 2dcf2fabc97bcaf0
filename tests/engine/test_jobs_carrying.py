"""Doing it again where the connection went: as long as it brings something, and not for ever where it doesn't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import NOW, job, order
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.endpoints.acting.base import Deed, Interrupted, Report
from quarterdeck.engine.jobs.carrying import LONGEST_WAIT_S, TRIES, carry_out, fleet_of, repeated, spec_of
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.jobs.hands import Failed, Hands
from quarterdeck.model.job import Order, Progress
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

CUT = Interrupted("the connection was cut")
GONE = Failure(Outcome.REFUSED, "connection refused")
Step = Exception | int | str
"""What an act comes to: an error, so many bytes and then an interruption, or the result."""


class Script:
    """An actor that does what a test says, one step each time."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.acts = 0

    async def act(self, deed: Deed, report: Report) -> str:
        self.acts += 1
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, str):
            return step
        if isinstance(step, int):
            report(Progress("pulling", None, step, 1000))
            raise CUT
        raise step

    async def show(self, model: str) -> Mapping[str, object]:
        return {}

    async def newer(self, model: str) -> str:
        return ""

    async def close(self) -> None: ...


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []

    async def rest(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr("asyncio.sleep", rest)
    return taken


def hands(tmp_path: Path, **known: object) -> Hands:
    return Hands(job(order(), **known), JobFolder(tmp_path), wall=lambda: NOW)


async def test_a_connection_that_goes_is_taken_up_again(tmp_path: Path, rests: list[float]) -> None:
    actor = Script(400, "pulled")
    assert await repeated(hands(tmp_path), actor) == "pulled"
    assert actor.acts == 2
    assert len(rests) == 1


async def test_as_long_as_bytes_come_it_goes_on(tmp_path: Path, rests: list[float]) -> None:
    actor = Script(*range(10, 1000, 10), "pulled")
    assert await repeated(hands(tmp_path), actor) == "pulled"
    assert actor.acts == 100
    assert max(rests) < 2, "each try brought something: no reason to wait longer"


async def test_what_brings_nothing_is_given_up_after_ever_longer_waits(tmp_path: Path, rests: list[float]) -> None:
    actor = Script(CUT)
    with pytest.raises(Failed, match=r"the connection was cut; given up after 8 tries"):
        await repeated(hands(tmp_path), actor)
    assert actor.acts == TRIES + 1
    assert len(rests) == TRIES
    assert max(rests) <= LONGEST_WAIT_S * 1.25
    assert rests[4] > rests[0] * 4


async def test_a_try_that_brings_something_begins_the_count_anew(tmp_path: Path, rests: list[float]) -> None:
    actor = Script(*[CUT] * TRIES, 5, *[CUT] * (TRIES - 1), "pulled")
    assert await repeated(hands(tmp_path), actor) == "pulled"


@pytest.mark.parametrize(
    "failure",
    [
        GONE,
        Failure(Outcome.FAILED, "there is no such model"),
        Failure(Outcome.AUTH, "401", status=401),
        Failure(Outcome.TIMEOUT, "no answer in 2 s"),
    ],
)
async def test_a_refusal_is_never_tried_again(tmp_path: Path, rests: list[float], failure: Failure) -> None:
    actor = Script(failure)
    with pytest.raises(Failure):
        await repeated(hands(tmp_path), actor)
    assert (actor.acts, rests) == (1, [])


async def test_a_server_that_restarts_in_the_middle_is_waited_for(tmp_path: Path, rests: list[float]) -> None:
    actor = Script(400, GONE, GONE, "pulled")
    assert await repeated(hands(tmp_path), actor) == "pulled"
    assert actor.acts == 4


async def test_a_disk_that_fills_after_an_interruption_is_the_end(tmp_path: Path, rests: list[float]) -> None:
    actor = Script(400, Failure(Outcome.FAILED, "the disk is full"), "pulled")
    with pytest.raises(Failure, match="disk is full"):
        await repeated(hands(tmp_path), actor)


async def test_a_server_that_never_comes_back_is_given_up(tmp_path: Path, rests: list[float]) -> None:
    with pytest.raises(Failed, match="connection refused; given up"):
        await repeated(hands(tmp_path), Script(400, GONE))


# ---- where it goes


def test_the_server_must_be_the_one_that_was_meant() -> None:
    fleet = FleetConfig(endpoints=(EndpointSpec("e", "http://a:1"),))
    assert spec_of(job(url="http://a:1"), fleet).name == "e"
    with pytest.raises(Failed, match="another server now"):
        spec_of(job(url="http://b:1"), fleet)
    with pytest.raises(Failed, match="no endpoint"):
        spec_of(job(order(target="gone"), url=None), fleet)


@pytest.mark.parametrize("url", ["http://a:1", "http://a:1/", "HTTP://A:1"])
def test_a_server_of_the_file_is_reached_by_its_name_only(url: str) -> None:
    fleet = FleetConfig(endpoints=(EndpointSpec("prod", "http://a:1", protected=True),))
    with pytest.raises(Failed, match="called prod"):
        spec_of(job(order(target="nobody"), url=url), fleet)


def test_what_no_file_names_has_no_keys() -> None:
    spec = spec_of(job(url="http://127.0.0.1:1"), FleetConfig())
    assert (spec.url, spec.engine, spec.auth) == ("http://127.0.0.1:1", "ollama", None)


@pytest.mark.parametrize("content", [None, "[[endpoint", "\0"])
def test_a_fleet_file_that_can_not_be_read_is_an_end_in_words(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "fleet.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Failed, match="fleet file can't be used any more"):
        fleet_of(job(fleet=str(file)))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (order("fly"), "no action"),
        (order("start", "x", None), "no deployment"),
    ],
)
async def test_what_there_is_not_fails_in_words(tmp_path: Path, wanted: Order, words: str) -> None:
    keeps = Hands(job(wanted), JobFolder(tmp_path))
    with pytest.raises(Failed, match=words):
        await carry_out(keeps, FleetConfig())


async def test_an_engine_that_nothing_can_be_done_to_fails_in_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="nothing can be done"):
        await carry_out(hands(tmp_path, engine="tgi"), FleetConfig())


@pytest.mark.parametrize("typo", ['protected = "yes"', "protcted = true", "protected = maybe"])
def test_an_entry_with_a_mistake_is_not_got_around(tmp_path: Path, typo: str) -> None:
    """Such an entry is left out of the fleet; what it may have meant to protect is not reached by its URL instead."""
    file = tmp_path / "fleet.toml"
    good = '[[endpoint]]\nname = "other"\nurl = "http://127.0.0.1:2"\n[[endpoint]]\nname = "e"\nurl = "http://127.0.0.1:1"\n'
    one = job(order(), url="http://127.0.0.1:1", fleet=str(file))
    file.write_text(good)
    assert spec_of(one, fleet_of(one)).name == "e"
    file.write_text(good + typo + "\n")
    with pytest.raises(Failed, match="fleet file"):
        fleet_of(one)
    with pytest.raises(Failed, match="fleet file"):
        fleet_of(replace(one, order=order(target="found")))


def test_what_the_file_does_not_name_is_reached_where_it_has_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text('[[endpoint]]\nname = "other"\nurl = "http://127.0.0.1:2"\n')
    one = job(order(target="found"), url="http://127.0.0.1:1", fleet=str(file))
    assert spec_of(one, fleet_of(one)).name == "found"
