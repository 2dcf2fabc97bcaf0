"""What the help tells of the GPU views: bars, letters, marks, columns, and the values of a GPU's page. Pure."""

from __future__ import annotations

from quarterdeck.tui.helping.legend import Legend, Sign
from quarterdeck.tui.lines import ACCENT, BAD, FAINT, MUTED, PLAIN, WARN

MARKS = Legend(
    "Letters and marks of the GPUs; red is grave, yellow is to be looked at",
    (
        Sign("A B C …", "In the bar of the memory: a model, the same letter on every GPU; the legend names it. * when letters have run out.", PLAIN),
        Sign("!", "ORPHAN: memory of a worker whose server is gone; x ends it.", BAD),
        Sign("o ╍", "Other processes.", MUTED),
        Sign("? ━", "Used, not told by whom.", "bar-memory"),
        Sign("r ┄", "Reserved by the driver; ─ is free.", FAINT),
        Sign("✗ LOST", "The GPU doesn't answer any more; its row is grey, its values are as old as is said.", BAD),
        Sign("✗ STALE", "The driver hangs; its row is grey, its values are as old as is said.", BAD),
        Sign("✗ XID", "The driver reported an error; yellow after ten minutes.", BAD),
        Sign("✗ ECC, REMAP", "Memory errors that were not corrected, rows that can't be remapped.", BAD),
        Sign("▲ RESET, HOT", "It needs a reset; it is within 3 °C of where it slows down.", WARN),
        Sign("▼ …", "Its clocks are held back, and why; red where heat or hardware does it.", WARN),
        Sign("+2", "So many more things are wrong with it; its page has them.", BAD),
    ),
)  # fmt: skip

ROWS = Legend(
    "A GPU, from left to right",
    (
        Sign("▌", "It is selected; the panel below tells of it.", ACCENT),
        Sign("0 1 2 …", "Its number on its machine, and where there is room its name."),
        Sign("util ━━━─ 47%", "How much of the time since the last look it computed.", "bar-used"),
        Sign("▁▂▅█", "The same over the last five minutes, the newest at the right.", "bar-used"),
        Sign("mem A━━━─", "Whose its memory is; then how much is in use, of all it has.", "bar-memory"),
        Sign("pow W", "Power drawn, of its limit where there is room.", MUTED),
        Sign("°C", "Temperature of its core; yellow near where it slows down.", MUTED),
        Sign("A qwen3", "The models that hold its memory, by letter.", MUTED),
        Sign("driver, CUDA", "Beside a machine: the driver's version, and the newest CUDA it can run.", FAINT),
        Sign("cpu mem", "At the right of a machine: how busy it is, and how much of its own memory is in use.", FAINT),
    ),
)  # fmt: skip

SUMS = Legend(
    "The line on top: sums over the GPUs that are shown, without those whose values are old",
    (
        Sign("✗ in trouble", "How many have a mark; ▲ to look at: none of them is grave.", BAD),
        Sign("busy", "The mean of how busy they are."),
        Sign("memory", "In use, of all they have."),
        Sign("power", "What they draw together, of their limits."),
    ),
)

PANEL = Legend(
    "Legend and processes",
    (
        Sign("KV cache", "Of vLLM's pool on that GPU: how much is in use, of how many tokens it has room for."),
        Sign("spilled", "Layers of a model that found no room on GPUs: slow.", BAD),
        Sign("memory", "What the process holds on this GPU."),
        Sign("pid", "Its number on that machine."),
        Sign("user", "Whose it is."),
        Sign("age", "How long it runs."),
        Sign("process", "Its command, then model and endpoint where it is one of a server that is watched."),
        Sign("ORPHAN", "A worker that holds memory though its server is gone.", BAD),
        Sign("container", "The container it runs in.", FAINT),
    ),
)

CHARTS = Legend(
    "The charts",
    (
        Sign("utilisation", "How busy it was."),
        Sign("memory", "Memory in use."),
        Sign("power", "Watts drawn."),
        Sign("temperature", "Of its core."),
        Sign("peak", "The highest in the window; columns show means, which are lower.", FAINT),
        Sign("✗", "On the time axis: the driver reported an error then.", BAD),
        Sign("│ ┼", "The time cursor: ← and → move it.", ACCENT),
    ),
)

VALUES = Legend(
    "Values of the page; – with a reason: it can't be read",
    (
        Sign("UUID", "What names the card wherever it is built in; CUDA_VISIBLE_DEVICES takes it."),
        Sign("machine", "Where it is, and how it is read."),
        Sign("utilisation", "How much of the time a kernel ran, however small; not how full the card was."),
        Sign("memory controller", "How much of the time its memory was read or written."),
        Sign("reserved", "Memory that the driver keeps for itself."),
        Sign("encoder, decoder", "How busy its video engines are."),
        Sign("memory temp.", "Of the memory's chips; slows the card down as the core's does."),
        Sign("SM clock", "Of what computes (streaming multiprocessors), of the highest it can have."),
        Sign("memory clock", "Of its memory."),
        Sign("P-state", "P0 is full power, P8 and more are idle."),
        Sign("clocks held back", "Why its clocks are lower than they could be: heat, power cap, hardware, or somebody's wish."),
        Sign("ECC corrected", "Memory errors since the driver was loaded that did no harm …"),
        Sign("ECC uncorrected", "… and those that did.", BAD),
        Sign("rows remapped", "Bad rows of memory that spare ones replaced."),
        Sign("PCIe", "Generation and lanes in use, of what card and slot could do; yellow with fewer lanes."),
        Sign("PCIe sent", "Bytes a second over the bus, to the machine; received: from it."),
        Sign("NVLink", "Links to other GPUs that work, and their errors."),
        Sign("MIG instances", "Parts of a card that were split off, each with its memory."),
        Sign("XID", "The driver's number of an error, and what it stands for.", BAD),
    ),
)  # fmt: skip
