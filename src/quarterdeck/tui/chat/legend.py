"""What the help tells of the chat, its cases and its pages to read: figures, heads, notes, marks. Pure."""

from __future__ import annotations

from quarterdeck.tui.helping.legend import Legend, Sign
from quarterdeck.tui.lines import ACCENT, BAD, FAINT, MUTED, PLAIN, WARN

HEADS = Legend(
    "Above an answer",
    (
        Sign("▌", "The column that keys mean.", ACCENT),
        Sign("model", "Then its endpoint and what serves it."),
        Sign("EXTERNAL", "Prompts leave your machines; local and vpc: they don't.", "state-busy-word"),
        Sign("A B C D", "A blind column: names are hidden until you vote."),
        Sign("1 2 3 4", "On top, where not all columns are in view: the columns in turn."),
    ),
)

FIGURES = Legend(
    "Beneath an answer: measured here",
    (
        Sign("TTFT", "From sending until the first token, thoughts included."),
        Sign("tok/s", "Tokens a second after the first one, counted by the server and timed here."),
        Sign("~ pieces/s", "While it comes: pieces a second, which are not always tokens.", MUTED),
        Sign("in", "Tokens of the prompt, as the server counts them."),
        Sign("out", "Tokens of the answer, thoughts included."),
        Sign("total", "From sending until the end."),
        Sign("$", "What it cost: by the provider's own sum, its price list or fleet.toml; ~ is a share of what the GPU costs an hour."),
        Sign("stop, length", "Why it ended, in the server's word; yellow where it is not simply done.", MUTED),
        Sign("cold warm", "Whether the model had to be loaded first.", WARN),
        Sign("queue", "Requests that waited there when it was sent."),
        Sign("thinking", "Of the tokens out: those of thoughts. While it comes: thoughts come, no answer yet."),
        Sign("cached", "Of the tokens in: those found in the prefix cache."),
        Sign("answering", "Tokens come; then for how long."),
        Sign("run 2 of 5", "The prompt is sent several times."),
        Sign("5 of 5 runs", "So many were not cold: their median, and in brackets where the middle half lies."),
        Sign("it says", "The same by the server's own clock (prompt, total, load), and where it says that."),
        Sign("FAILED", "It broke off, with the reason; what came before is kept.", BAD),
        Sign("cancelled", "Somebody stopped it.", WARN),
        Sign("not sent", "The policy of the fleet file forbids it.", BAD),
        Sign("· …", "What has to be known to judge the numbers; price: where it comes from.", WARN),
    ),
)  # fmt: skip

TEXT = Legend(
    "In a column, and on top",
    (
        Sign("▌ text", "What was asked, and what was attached.", ACCENT),
        Sign("⚙ calls", "A tool that the model wants called; nothing is called.", ACCENT),
        Sign("── … ──", "How it ended, where that is not as it should be.", WARN),
        Sign("note:", "What you wrote about the answer.", ACCENT),
        Sign("blind", "Names are hidden until you vote.", ACCENT),
        Sign("one by one", "Columns are asked in turn, so that none slows another down.", ACCENT),
        Sign("warm-up", "A short request goes first, so that no model is cold.", ACCENT),
        Sign("session:", "Tokens and cost of all answers so far; unpriced: answers without a price.", MUTED),
        Sign("temperature …", "Settings that differ from the server's own.", MUTED),
    ),
)

READING = Legend(
    "On pages to read",
    (
        Sign("[- -]", "Of two answers: only the first has it.", BAD),
        Sign("{+ +}", "Only the second has it.", ACCENT),
        Sign("better", "Votes for one of a pair; ties, both bad: votes for neither."),
        Sign("wins 60%", "Its share of the votes that decide, and in brackets how sure that is (95 %)."),
        Sign("Measured here", "By this console's clock; told by the server: by its own."),
        Sign("When it was sent", "How the endpoint was: state, requests running and waiting, KV cache, GPU memory, power."),
        Sign("cold start", "Whether the model had to be loaded first."),
        Sign("spilled to CPU", "Whether a part of the model lay outside of GPUs: slow."),
    ),
)  # fmt: skip

MORE_MARKS = (
    Sign("–", "Not asked yet.", FAINT),
    Sign("2/3", "Asked several times: so many passed."),
    Sign("1.2 s", "How long the answer took; of several, the middle one.", PLAIN),
    Sign("cold", "The model had to be loaded first.", WARN),
    Sign("[ ]", "The selected cell; Enter reads it.", ACCENT),
)
