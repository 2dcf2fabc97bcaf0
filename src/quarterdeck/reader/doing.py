"""What each command does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from quarterdeck.config.units import duration
from quarterdeck.engine.meant import meant, places
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.reader import alerts, commands, endpoints, jobs, machines
from quarterdeck.reader.acting import act
from quarterdeck.reader.job_commands import job_command
from quarterdeck.reader.opening import in_between
from quarterdeck.reader.saying import Level, clock
from quarterdeck.reader.speech import name, sentence, spoken
from quarterdeck.reader.typed import action_of, split

if TYPE_CHECKING:
    from quarterdeck.engine.alerting.alarms import Alarms
    from quarterdeck.reader.here import Here

EVENTS = 10
_MOST_EVENTS = 200


async def do(here: Here, line: str) -> bool:
    """Do what a line says; whether there is to be another one. Raises QuarterdeckError."""
    text = line.strip()
    if not text:
        here.look()
        await here.voice.say(here.news(Level.ALL) or [in_between(here.snapshot)])
        return True
    if not printable(text):
        await here.voice.say(["That was no word: arrow and function keys mean nothing here."])
        return True
    first, _, rest = text.partition(" ")
    command = commands.command_of(first)
    if command is None:
        words = split(text)
        action = action_of(words)
        if action is None:
            await here.voice.say([commands.unknown(words[0] if words else first)])
        else:
            await act(here, action[0], words[action[1] :])
        return True
    if command.word == "quit":
        return False
    await _DOING[command.word](here, rest.strip())
    return True


# ---- looking


async def _status(here: Here, rest: str) -> None:
    seen = here.engine.snapshot()
    if rest and rest != "all":
        await here.voice.say(endpoints.whole(_view(rest, seen), seen))
    else:
        await here.voice.say(endpoints.status(seen, whole=rest == "all"))


def _view(named: str, seen: FleetSnapshot) -> EndpointView:
    from quarterdeck.engine.meant import view_of

    return view_of(split(named)[0], seen)


async def _show(here: Here, rest: str) -> None:
    """An endpoint, a machine, a job, or a model."""
    seen = here.engine.snapshot()
    words = split(rest)
    if not words:
        raise UsageError("what?", hint="It is typed so: show NAME.")
    wanted = words[0]
    view = next((view for view in seen.endpoints if view.name == wanted), None)
    host = next((host for host in seen.hosts if host.name == wanted), None)
    job = next((job for job in seen.jobs if job.id == wanted), None)
    if view is not None:
        await here.voice.say(endpoints.whole(view, seen))
    elif host is not None:
        notes = [sentence(f"Note: {spoken(note)}") for note in host.notes]
        await here.voice.say(
            [machines.machine_line(host), *(machines.gpu_line(host, gpu) for gpu in host.gpus), *notes]
        )
    elif job is not None:
        await here.voice.say([jobs.line(job)])
    else:
        await _show_model(here, words, seen)


async def _show_model(here: Here, words: list[str], seen: FleetSnapshot) -> None:
    """What its server tells of a model. Raises QuarterdeckError."""
    from quarterdeck.engine.asking import show

    on = [words[2]] if words[1:2] == ["--on"] and len(words) > 2 else None
    known = [model.label for view in seen.endpoints for model in view.models]
    if on is None and words[0] not in known and not any(words[0] in each for each in known):
        names = [*(view.name for view in seen.endpoints), *(host.name for host in seen.hosts), *known]
        raise UsageError(f"nothing is called {words[0]!r}", hint=meant(words[0], names, none="Nothing is watched."))
    view, model = places(words[0], on, seen)[0]
    told = await show(here.engine.fleet, view.name, view.engine or "openai", model.id)
    await here.voice.say([endpoints.model_line(model, seen.time, view.name), *_told(told)])


def _told(told: Mapping[str, object]) -> Iterator[str]:
    """What a server tells, name by name; long texts by their first lines, and nothing that was said before."""
    said: set[str] = set()
    for key, value in told.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        for below, each in inner:
            text = ", ".join(map(str, each)) if isinstance(each, list | tuple) else str(each)
            rows = [row for row in text.splitlines() if row.strip()] if each is not None else []
            if not rows or (below and text in said):
                continue
            said.add(text)
            more = f" And {len(rows) - _ROWS} more lines." if len(rows) > _ROWS else ""
            called = ", ".join(part for part in (name(key), name(str(below))) if part).replace("_", " ")
            yield f"{called}: {sentence(printable(' '.join(rows[:_ROWS]), 500))}{more}"


_ROWS = 3


async def _gpus(here: Here, rest: str) -> None:
    await here.voice.say(machines.gpus(here.engine.snapshot()))


async def _models(here: Here, rest: str) -> None:
    await here.voice.say(endpoints.models(here.engine.snapshot()))


async def _events(here: Here, rest: str) -> None:
    if rest and not (rest.isascii() and rest.isdigit() and len(rest) < 6):
        raise UsageError(f"how many? {name(rest, 40)!r} is no number")
    number = min(int(rest), _MOST_EVENTS) if rest else EVENTS
    found = here.engine.snapshot().happenings[-number:] if number else ()
    lines = [
        sentence(f"{clock(one.at)} {name(one.subject)} {spoken(one.word)}{': ' if one.text else ''}{spoken(one.text)}")
        for one in found
    ]
    await here.voice.say(lines or ["Nothing has happened."])


# ---- alerts


async def _alerts(here: Here, rest: str) -> None:
    await here.voice.say(alerts.alerts(here.engine.snapshot(), every=rest == "all"))


def _alarms(here: Here) -> Alarms:
    if here.engine.alarms is None:
        raise UsageError("alerts are switched off", hint="[alerts] enabled = false in fleet.toml.")
    return here.engine.alarms


async def _ack(here: Here, rest: str) -> None:
    alarms = _alarms(here)
    keys = [alert.key for alert in alerts.open_ones(here.engine.snapshot())]
    key = next((key for key in sorted(keys, key=len, reverse=True) if rest == key or rest.startswith(key + " ")), None)
    about = [each for each in keys if each.partition(" ")[2] == rest] if key is None else []
    key = key or (about[0] if len(about) == 1 else keys[0] if len(keys) == 1 and not rest else None)
    if key is None:
        listed = f"It is typed so: ack KEY. Open are {', '.join(name(each) for each in keys[:8])}." if keys else ""
        raise UsageError("which alert?" if keys else "no alert is open", hint=listed)
    note = "" if about else rest.removeprefix(key).strip()
    alert = await asyncio.to_thread(alarms.acknowledge, key, note)
    await here.voice.say([f"Acknowledged: {spoken(alert.key, 100)}."])


async def _silence(here: Here, rest: str) -> None:
    alarms = _alarms(here)
    named, _, span = rest.rpartition(" ")
    lasts = duration(span)
    if not named or lasts is None:
        raise UsageError("for how long?", hint="It is typed so: silence NAME 2h.")
    silence = await asyncio.to_thread(alarms.silence, named.removesuffix(" for").strip(), lasts, "")
    await here.voice.say([f"Silent until {clock(silence.until)}: {silence.kind} {spoken(silence.name, 100)}."])


# ---- how it speaks, and how often it looks


async def _quiet(here: Here, rest: str) -> None:
    here.level = Level.QUIET
    await here.voice.say(["Quiet. An empty line tells what is new; speak turns it on again."])


async def _speak(here: Here, rest: str) -> None:
    if rest not in ("", Level.ALL.value, Level.TROUBLE.value):
        raise UsageError(f"speak {name(rest, 40)!r} is not known", hint="It is typed so: speak all, or speak trouble.")
    here.level = Level(rest or Level.ALL.value)
    what = "all that changes" if here.level is Level.ALL else "what is wrong, what is over, and how jobs end"
    await here.voice.say([f"Telling {what}.", *here.news()])


async def _refresh(here: Here, rest: str) -> None:
    named = _view(rest, here.engine.snapshot()).name if rest else None
    here.engine.refresh(named)
    await here.voice.say([f"Asking {name(named) if named else 'all servers'} now."])


async def _interval(here: Here, rest: str) -> None:
    if rest:
        lasts = duration(float(rest) if rest.replace(".", "", 1).isdigit() and rest.isascii() else rest)
        if not lasts:
            raise UsageError(f"{name(rest, 40)!r} is no time", hint="It is typed so: interval 2, or interval 500ms.")
        here.engine.set_interval(lasts)
    await here.voice.say([f"The servers are asked every {spoken(f'{here.engine.interval:g} s')}."])


async def _pause(here: Here, rest: str) -> None:
    here.engine.pause(not here.engine.paused)
    rests = "No server is asked now; pause again goes on." if here.engine.paused else "The servers are asked again."
    await here.voice.say([rests])


async def _jobs(here: Here, rest: str) -> None:
    await job_command(here, split(rest))


async def _ask(here: Here, rest: str) -> None:
    from quarterdeck.reader.asking import ask

    await ask(here, rest)


async def _more(here: Here, rest: str) -> None:
    from quarterdeck.reader.asking import more

    await more(here, rest)


async def _help(here: Here, rest: str) -> None:
    if not rest:
        await here.voice.say(commands.overview())
        return
    await here.voice.say(commands.about(rest) or [commands.unknown(rest.split(maxsplit=1)[0])])


_DOING: Mapping[str, Callable[[Here, str], Awaitable[None]]] = {
    "status": _status,
    "show": _show,
    "gpus": _gpus,
    "models": _models,
    "alerts": _alerts,
    "ack": _ack,
    "silence": _silence,
    "events": _events,
    "jobs": _jobs,
    "ask": _ask,
    "more": _more,
    "quiet": _quiet,
    "speak": _speak,
    "refresh": _refresh,
    "interval": _interval,
    "pause": _pause,
    "help": _help,
}
