"""What is explained of each view, from where its columns, signs and figures are declared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from quarterdeck.tui.columns import Column
from quarterdeck.tui.helping import fleet
from quarterdeck.tui.helping.legend import Legend, Sign
from quarterdeck.tui.lines import ACCENT, MUTED, PLAIN

_COLUMNS = "Columns; the wider the terminal, the more of them"


def legends(where: str) -> tuple[Legend, ...]:
    """Of the screen ``where``; those of its own first."""
    of = _PLACES.get(where)
    return of() if of is not None else ()


def _columns(columns: Iterable[Column]) -> Legend:
    return Legend(_COLUMNS, tuple(Sign(column.title, column.meaning) for column in columns))


def _fleet() -> tuple[Legend, ...]:
    from quarterdeck.tui.columns import COLUMNS

    return _columns(COLUMNS), fleet.states(), fleet.ROWS, _where_a_model_is(), fleet.MACHINES, fleet.WORDS


def _endpoint() -> tuple[Legend, ...]:
    from quarterdeck.tui.detail import legend

    page = legend.HEAD, legend.NUMBERS, legend.LATENCY, legend.CHARTS, legend.PARTS
    return *page, fleet.states(), _where_a_model_is()


def _gpus() -> tuple[Legend, ...]:
    from quarterdeck.tui.gpus import legend

    return legend.SUMS, legend.ROWS, legend.MARKS, legend.PANEL, legend.CHARTS


def _gpu() -> tuple[Legend, ...]:
    from quarterdeck.tui.gpus import legend

    return legend.MARKS, legend.PANEL, legend.VALUES, legend.CHARTS


def _models() -> tuple[Legend, ...]:
    from quarterdeck.tui.models.columns import COLUMNS

    signs = (
        Sign("▌ ✓", "Left of a row: it is selected; it is marked.", ACCENT),
        Sign("↑ ↓", "On a title: the table is sorted by it, the smallest or the largest first."),
        Sign("2 loaded", "By name: on how many endpoints it is so.", MUTED),
    )
    return _columns(COLUMNS), _where_a_model_is(), fleet.states(), Legend("Signs of the rows", signs)


def _model() -> tuple[Legend, ...]:
    signs = (
        Sign("now", "Context (ctx), quantisation, parameters, and when it is unloaded.", MUTED),
        Sign("memory", "What it takes where it is, as its server tells.", MUTED),
        Sign("on GPUs", "How much of that lies on GPUs; the rest spilled into the machine's memory: slow.", MUTED),
        Sign("the others", "What its server tells when it is asked, in its own words.", MUTED),
    )
    return Legend("The page", signs), _where_a_model_is()


def _where_a_model_is() -> Legend:
    from quarterdeck.model.models import ModelState
    from quarterdeck.tui.model_states import model_look

    seen = map(model_look, ModelState)
    return Legend(
        "Where a model is", tuple(Sign(each.glyph, each.meaning, each.tone, each.word, PLAIN) for each in seen)
    )


def _chat() -> tuple[Legend, ...]:
    from quarterdeck.tui.chat import legend

    return legend.FIGURES, legend.HEADS, legend.TEXT


def _cases() -> tuple[Legend, ...]:
    from quarterdeck.model.cases.cells import COLUMN_MEANINGS, MARKS, MEANINGS
    from quarterdeck.tui.chat import legend
    from quarterdeck.tui.chat.matrix import TONES

    verdicts = tuple(Sign(mark, MEANINGS[verdict], TONES[verdict]) for verdict, mark in MARKS.items())
    sums = tuple(Sign(title, meaning) for title, meaning in COLUMN_MEANINGS.items())
    return (
        Legend("A cell: a case with a model, its verdict and the time of the answer", verdicts + legend.MORE_MARKS),
        Legend("Below: each model over all cases", sums),
    )


def _jobs() -> tuple[Legend, ...]:
    from quarterdeck.tui.jobs.lines import COLUMNS, FACTS, LOOKS

    states = tuple(Sign(each.glyph, each.meaning, each.tone, each.word, PLAIN) for each in LOOKS.values())
    return (
        Legend("Columns", COLUMNS),
        Legend("States of a job", states),
        Legend("The selected one, below", FACTS),
    )


def _alerts() -> tuple[Legend, ...]:
    from quarterdeck.tui.alerts import timeline
    from quarterdeck.tui.alerts.lines import CLEARED, COLUMNS, FACTS, LOOKS

    looks = (*LOOKS.values(), CLEARED)
    return (
        Legend("Columns of the alerts", COLUMNS),
        Legend("How bad it is", tuple(Sign(each.glyph, each.meaning, each.tone, each.word, PLAIN) for each in looks)),
        Legend("The selected one, below", FACTS),
        Legend("Columns of what happened", timeline.COLUMNS),
        Legend("Signs of what happened", timeline.SIGNS),
        fleet.states(),
    )


def _log() -> tuple[Legend, ...]:
    from quarterdeck.tui.log.lines import SIGNS

    return (Legend("A line of the log", SIGNS),)


def _audit() -> tuple[Legend, ...]:
    from quarterdeck.tui.screens.audit import SIGNS

    return (Legend("A line of it, from left to right", SIGNS),)


def _reading() -> tuple[Legend, ...]:
    from quarterdeck.tui.chat import legend

    return (legend.READING, *_cases()[:1])


_PLACES: dict[str, Callable[[], tuple[Legend, ...]]] = {
    "fleet": _fleet,
    "endpoint": _endpoint,
    "gpus": _gpus,
    "gpu": _gpu,
    "models": _models,
    "model": _model,
    "chat": _chat,
    "cases": _cases,
    "jobs": _jobs,
    "alerts": _alerts,
    "log": _log,
    "audit": _audit,
    "reading": _reading,
}
