"""What the help tells of an endpoint's page: its labels, tables, charts and marks. Pure."""

from __future__ import annotations

from quarterdeck.tui.helping.legend import Legend, Sign
from quarterdeck.tui.lines import ACCENT, BAD, FAINT, WARN

HEAD = Legend(
    "What it is and how it is",
    (
        Sign("why", "Why the state is what it is."),
        Sign("evidence", "The numbers that show it, then and now."),
        Sign("! odd", "In what it differs from its replicas.", WARN),
        Sign("! ails", "Deployments of a gateway that are not well.", WARN),
        Sign("means", "What the state means."),
        Sign("try", "What to try first."),
        Sign("engine", "What serves, its version, and the model."),
        Sign("url", "Where it is reached."),
        Sign("host", "The machine, and how far a prompt travels: local, vpc or external. protected: actions want its name typed."),
        Sign("polled", "How often it is asked, when it answered last, and how long that took."),
    ),
)  # fmt: skip

NUMBERS = Legend(
    "Numbers of now",
    (
        Sign("running", "Requests being answered."),
        Sign("waiting", "Requests in the queue; waiting for: by reason."),
        Sign("generating", "Generated tokens a second, over all requests."),
        Sign("prompts", "Prompt tokens a second."),
        Sign("TTFT p95", "Time to the first token in the last minute: 95 % are faster."),
        Sign("ITL p95", "Inter-token latency, also called TPOT: the time between two tokens, 95 % are faster."),
        Sign("from cache", "Prompt tokens a second that were found in the prefix cache."),
        Sign("cache hits", "The share of prompt tokens that were found there."),
        Sign("preemptions", "Requests that lost their place because the KV cache was full; they are computed anew."),
        Sign("drafts taken", "Of tokens guessed by a draft model, the share that the large one agreed to."),
        Sign("spent", "US dollars, as the provider's account tells."),
        Sign("last active", "When it had its last request."),
        Sign("KV cache", "Keys and values of the tokens that are in work: in use, of how many tokens there is room for."),
        Sign("GPU memory", "What its models take on GPUs, as its server tells."),
        Sign("~ running", "How a number with a ~ was come by; one line for each.", FAINT),
    ),
)  # fmt: skip

LATENCY = Legend(
    "Latency",
    (
        Sign("TTFT", "From a request until its first token."),
        Sign("ITL", "From one token to the next (TPOT)."),
        Sign("whole", "From a request until its last token."),
        Sign("in queue", "From a request until work on it begins."),
        Sign("p50 p95 p99", "50, 95, 99 of 100 are faster."),
        Sign("seen", "How many were measured; of ITL: tokens."),
        Sign("last interval", "Between the last two polls; last minute: more of them, so steadier."),
    ),
)

PARTS = Legend(
    "Other sections, where its server tells",
    (
        Sign("Requests ended", "A second, by reason (stop, length, abort, an HTTP status)."),
        Sign("Replicas", "Its data-parallel engines, a row each: run and wait are requests, KV is the share in use."),
        Sign("Load by model", "The same of a server that has several models."),
        Sign("Models", "Where each is, what it takes, context (ctx), quantisation, size, when it is unloaded."),
        Sign("+ 2 GiB in RAM", "So much of a model found no room on GPUs: slow.", WARN),
        Sign("LoRA adapters", "Adapters that have requests now, running or waiting."),
        Sign("Deployments", "Where a gateway sends requests for a model: ● well, ▲ partly or cooling down, ✗ out, · not told."),
        Sign("Access log", "Requests of the last minute by HTTP status, and their latency, from the server's own log."),
        Sign("Our own requests", "What requests sent from here took: t sends one."),
        Sign("Events", "What happened to it lately, the newest first, with the glyph of the state it went to; · is anything else."),
        Sign("Notes", "What is missing, and how to get it.", ACCENT),
        Sign("Raw values", "What its server sent, as it was read."),
    ),
)  # fmt: skip

CHARTS = Legend(
    "The charts",
    (
        Sign("generated", "Generated tokens a second."),
        Sign("running", "Requests being answered."),
        Sign("waiting", "Requests in the queue."),
        Sign("KV cache", "The share in use."),
        Sign("TTFT p95", "Time to the first token: 95 % are faster."),
        Sign("GPU memory", "What its models take there."),
        Sign("prompts", "Prompt tokens a second."),
        Sign("ITL p95", "Time between two tokens: 95 % are faster."),
        Sign("peak", "The highest in the window.", FAINT),
        Sign("[5 min]", "The window that is shown; w changes it."),
        Sign("● ▲ ✗ ↻ …", "On the time axis: the endpoint went to that state then, or was restarted.", BAD),
        Sign("│ ┼", "The time cursor: ← and → move it; the values there are listed.", ACCENT),
        Sign("blank", "Nobody measured then; nothing is interpolated.", FAINT),
    ),
)
