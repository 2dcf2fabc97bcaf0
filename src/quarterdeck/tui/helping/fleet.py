"""The signs of the fleet view: its table, the rows below an endpoint, the machines; and those of the status line. Pure."""

from __future__ import annotations

from quarterdeck.tui.helping.legend import Legend, Sign
from quarterdeck.tui.lines import ACCENT, BAD, FAINT, MUTED, PLAIN, WARN
from quarterdeck.tui.states import LOOKS, WAITING

ROWS = Legend(
    "Signs of the rows",
    (
        Sign("▌ ✓", "Left of a row: it is selected; it is marked.", ACCENT),
        Sign("▸ ▾", "There are models or replicas below, hidden or shown.", FAINT),
        Sign("├ └", "A model or a replica of the endpoint above.", FAINT),
        Sign("!", "Left of a name: it has an alert that nobody has acknowledged; 5 shows it.", BAD),
        Sign("↑ ↓", "On a title: the table is sorted by it, the smallest or the largest first."),
        Sign("replica", "A data-parallel engine of the endpoint; load: the share of one model in a router's load.", FAINT),
        Sign("! odd", "It differs from its replicas, and in what.", WARN),
        Sign("+3", "Behind a model: so many more are there; 2 of 5 loaded: the others are on disk."),
        Sign("ctx 8192", "Of a model: tokens per sequence. 80% on GPU: the rest spilled into the machine's memory.", MUTED),
        Sign("stays loaded", "Of a model: its server never unloads it; unloads in 4m: unless it is asked before.", MUTED),
        Sign("▁▂▅█", "In a trend: from nothing to the highest that is shown; a gap is not known.", "bar-used"),
    ),
)  # fmt: skip
WORDS = Legend(
    "Abbreviations",
    (
        Sign("KV", "The KV cache: the memory in which an engine keeps what running requests have read. Full, it makes others wait."),
        Sign("VRAM", "Memory of GPUs."),
        Sign("TTFT", "Time to the first token."),
        Sign("ITL", "Inter-token latency, the time between two tokens; others call it TPOT, time per output token."),
        Sign("p95", "95 of 100 that were measured were faster."),
        Sign("tok/s", "Tokens a second; prompt/s: tokens of prompts a second."),
    ),
)  # fmt: skip
MACHINES = Legend(
    "Machines and their GPUs, below the table",
    (
        Sign("━━━───", "How busy a GPU is; after mem: how full. Letters in it are models: 2 shows whose.", "bar-used"),
        Sign("0 1 2 …", "The number of a GPU, and how busy it is; a sign behind it is its gravest trouble, which 2 explains.", FAINT),
        Sign("W °C", "Power drawn, of its limit; temperature, yellow from 85 °C on.", MUTED),
        Sign("cpu mem", "How busy the machine itself is, and how much of its memory is in use.", MUTED),
    ),
)  # fmt: skip
STATUS_LINE = Legend(
    "The status line",
    (
        Sign("3/8 well", "So many of all endpoints are well; then how many are in which other state."),
        Sign("△ 2 alerts", "Alerts that are open and that nobody has acknowledged; ▲ where one of them is critical.", "state-busy-word"),
        Sign("1 job 40%", "Jobs that go on, and how far the first of them is.", ACCENT),
        Sign("2 marked", "Rows that keys of actions mean now, all at once.", ACCENT),
        Sign("read-only", "Nothing can be changed from this console.", WARN),
        Sign("every 2 s", "The interval of polls; PAUSED: nobody is asked, the numbers grow old.", MUTED),
        Sign("/word 3 of 8", "The filter, and how much it keeps.", WARN),
    ),
)  # fmt: skip
COMMON = Legend(
    "Everywhere",
    (
        Sign("–", "Not known. It never means zero."),
        Sign("~", "A bound or an estimate; the page of the endpoint says how it was come by."),
        Sign("…", "A text goes on, or something is still being waited for.", PLAIN),
    ),
)


def states() -> Legend:
    """The states of endpoints."""
    signs = [
        Sign(seen.glyph, seen.meaning, seen.tone, seen.word if seen is not WAITING else "", f"{seen.tone}-word")
        for seen in (*LOOKS.values(), WAITING)
    ]
    return Legend("States, the worst first", tuple(signs))
