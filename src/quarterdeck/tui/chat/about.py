"""Everything known of one answer, as a page. Pure."""

from __future__ import annotations

from quarterdeck.engine.chat.columns import Turn
from quarterdeck.format import DASH, count, duration, percent, printable, rate, size
from quarterdeck.model.chat.answer import Answer
from quarterdeck.tui.chat.figures import money
from quarterdeck.tui.chat.sheet import in_words
from quarterdeck.tui.chat.transcript import ending_words
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, PLAIN, TITLE, Line, Run, fit, wrap

_LABEL = 18


def about_lines(turn: Turn, width: int) -> list[Line]:
    """Numbers of ours and of the server's, circumstances, settings, notes; of each run where there were several."""
    answer = turn.answer
    lines = _block("Measured here", _measured(answer), width)
    lines += _block(f"Told by the server ({_source(answer)})", _told(answer), width)
    lines += _block("When it was sent", _circumstances(answer), width)
    request = turn.request.sampling
    settings = [
        ("sampling", in_words(request) or "as the server does by itself"),
        ("attached", ", ".join(turn.files) or DASH),
    ]
    lines += _block("Asked with", settings, width)
    if answer.notes:
        lines += _block("To know", [("", note) for note in answer.notes], width)
    if len(turn.answers) > 1:
        lines += _block(
            f"{len(turn.answers)} runs", [(f"run {n}", _run(one)) for n, one in enumerate(turn.answers, 1)], width
        )
    return lines


def _measured(answer: Answer) -> list[tuple[str, str]]:
    words = ending_words(answer)[0]
    return [
        ("end", words.strip("─ ") or "done"),
        ("first token after", duration(answer.ttft_s)),
        ("decode", f"{rate(answer.decode_tps)} tok/s"),
        ("total", duration(answer.total_s)),
        ("cold start", {True: "yes", False: "no", None: DASH}[answer.cold]),
        ("cost", money(answer.cost, answer.cost_source)),
        ("price from", answer.cost_source or DASH),
    ]


def _source(answer: Answer) -> str:
    return printable(answer.timings.source, 60) if answer.timings is not None else "usage"


def _told(answer: Answer) -> list[tuple[str, str]]:
    usage, told = answer.usage, answer.timings
    found = [
        ("prompt tokens", count(usage.prompt_tokens)),
        ("of them cached", count(usage.cached_tokens)),
        ("output tokens", count(answer.output_tokens)),
        ("of them thinking", count(usage.reasoning_tokens)),
        ("finish reason", answer.finish or DASH),
        ("answered by", answer.answered_by or DASH),
    ]
    if told is not None:
        found += [
            ("loading", duration(told.load_s)),
            ("prompt", duration(told.prompt_s)),
            ("decode", f"{duration(told.decode_s)}, {rate(told.decode_tps)} tok/s"),
            ("total", duration(told.total_s)),
        ]
    return found


def _circumstances(answer: Answer) -> list[tuple[str, str]]:
    known = answer.circumstances
    return [
        ("state", known.state or DASH),
        ("running, waiting", f"{count(known.running)}, {count(known.waiting)}"),
        ("KV cache", percent(known.kv_used)),
        ("GPU memory", size(known.vram_bytes)),
        ("power", f"{known.watts:.0f} W" if known.watts is not None else DASH),
        ("in memory", {True: "yes", False: "no", None: DASH}[known.loaded]),
        ("spilled to CPU", {True: "yes", False: "no", None: DASH}[known.spilled]),
        ("context", count(known.context_length)),
    ]


def _run(answer: Answer) -> str:
    end = ending_words(answer)[0].strip("─ ")
    told = f"TTFT {duration(answer.ttft_s)}, {rate(answer.decode_tps)} tok/s, {duration(answer.total_s)}"
    return f"{told}{', cold' if answer.cold else ''}{f'; {end}' if end else ''}"


def _block(title: str, rows: list[tuple[str, str]], width: int) -> list[Line]:
    lines = [EMPTY_LINE, Line((Run(f"  {title}", TITLE),))]
    for label, text in rows:
        parts = wrap(printable(text, 400), max(8, width - _LABEL - 4)) or [""]
        for place, part in enumerate(parts):
            shown = fit(label if place == 0 else "", _LABEL)
            lines.append(Line((Run(f"  {shown}", MUTED), Run(part, PLAIN))))
    return lines
