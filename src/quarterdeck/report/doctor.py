"""What `quarterdeck doctor` finds, as text and JSON, and with names taken out. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quarterdeck.format import duration, printable
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.host import HostView

OK, NOTE, WARN, BAD = "ok", "note", "warn", "bad"
_MARKS = {OK: "✓", NOTE: "·", WARN: "!", BAD: "✗"}
SKEW_S = 5.0
"""A server's clock that differs by more makes expiry times and logs hard to read."""
_LABEL = 22


class Finding(NamedTuple):
    """One line."""

    level: str
    """ "ok", "note" (good to know), "warn" or "bad"."""
    name: str
    text: str


class Section(NamedTuple):
    """Findings about one thing."""

    title: str
    findings: tuple[Finding, ...]


NUMBERS = (
    ("running", "running requests"),
    ("waiting", "waiting requests"),
    ("generation_tps", "tok/s"),
    ("kv_used", "KV cache"),
    ("ttft_p95_s", "TTFT"),
    ("itl_p95_s", "ITL"),
    ("kv_capacity_tokens", "KV capacity"),
)
"""What an operator looks for first: a field of `EndpointView`, and its name."""


def of_endpoint(view: EndpointView, skew: float | None) -> Section:
    """What is known of an endpoint, what isn't, and why. ``skew``: its clock minus ours, seconds."""
    state = view.state.value if view.state is not None else "not polled"
    level = OK if view.state in (State.OK, State.BUSY, State.SLEEPING) else BAD if view.state is State.DOWN else WARN
    findings = [
        Finding(level, "state", f"{state}{f': {view.reason}' if view.reason else ''}"),
        Finding(NOTE, "url", view.url),
        Finding(
            OK if view.engine else WARN,
            "engine",
            f"{view.engine} {view.version or ''}".strip() if view.engine else "not recognised",
        ),
    ]
    if view.latency_s is not None:
        findings.append(Finding(OK, "answers in", duration(view.latency_s)))
    findings += [Finding(NOTE, name, value) for name, value in view.identity[:8]]
    if view.state is not None and view.state.answers:
        missing = [name for attribute, name in NUMBERS if getattr(view, attribute) is None]
        known = len(NUMBERS) - len(missing)
        text = f"{known} of {len(NUMBERS)} known" + (f"; not {', '.join(missing)}" if missing else "")
        findings.append(Finding(OK if not missing else NOTE, "numbers", text))
    findings += [Finding(NOTE, "why", note) for note in view.notes]
    findings += [Finding(NOTE, f"can't {name.replace('_', ' ')}", why) for name, why in view.cannot.items()]
    if skew is not None:
        far = abs(skew) > SKEW_S
        ahead = "ahead of" if skew > 0 else "behind"
        text = f"{duration(abs(skew))} {ahead} ours" if far else "as ours, to a few seconds"
        findings.append(Finding(WARN if far else OK, "clock", text))
    return Section(f"Endpoint {view.name}", tuple(findings))


def of_host(view: HostView) -> Section:
    """How a machine is read, and what of it can't be."""
    count = len(view.gpus)
    read = view.at is not None
    findings = [
        Finding(
            OK if read and not view.reason else WARN,
            "read by",
            f"{view.source}{f': {view.reason}' if view.reason else ''}",
        )
    ]
    if view.driver or view.cuda:
        findings.append(Finding(OK, "driver", f"{view.driver or '–'}, CUDA up to {view.cuda or '–'}"))
    findings.append(Finding(OK if count else NOTE, "GPUs", f"{count}" if count else "none"))
    for gpu in view.gpus:
        findings.append(Finding(NOTE if gpu.problems else OK, f"GPU {gpu.index}", gpu.name or "–"))
        findings += [Finding(NOTE, f"GPU {gpu.index} lacks", problem) for problem in gpu.problems]
    findings += [Finding(NOTE, "note", note) for note in view.notes]
    return Section(f"Host {view.name}", tuple(findings))


def of_fleet(fleet: FleetSnapshot, skews: Mapping[str, float]) -> list[Section]:
    """Hosts, then endpoints."""
    return [
        *(of_host(view) for view in fleet.hosts),
        *(of_endpoint(view, skews.get(view.name)) for view in fleet.endpoints),
    ]


def text(sections: Sequence[Section]) -> str:
    """For people."""
    lines: list[str] = []
    for section in sections:
        lines += ["", printable(section.title, 120)]
        lines += [
            f"  {_MARKS[found.level]} {printable(found.name, 40):<{_LABEL}} {printable(found.text, 600)}"
            for found in section.findings
        ]
    counts = {
        level: sum(found.level == level for section in sections for found in section.findings) for level in (BAD, WARN)
    }
    verdict = ", ".join(
        f"{number} {word}" for word, number in (("bad", counts[BAD]), ("to look at", counts[WARN])) if number
    )
    return "\n".join(lines[1:]) + f"\n\n{verdict or 'nothing is wrong'}\n"


def document(sections: Sequence[Section]) -> list[dict[str, object]]:
    """For JSON."""
    return [
        {"title": section.title, "findings": [found._asdict() for found in section.findings]} for section in sections
    ]


class Names:
    """Takes names out of text: each becomes the same word everywhere, so that what belongs together still shows."""

    def __init__(self, words: Mapping[str, str]) -> None:
        """``words``: what each is replaced by; empty ones are left out."""
        self._words = {name: word for name, word in words.items() if name}
        longest_first = sorted(self._words, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def out(self, told: str) -> str:
        """``told`` without them."""
        return self._pattern.sub(lambda match: self._words[match[0]], told) if self._pattern else told
