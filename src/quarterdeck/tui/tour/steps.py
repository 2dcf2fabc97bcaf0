"""The steps of the tour, as data."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """One thing to look at, and one to do."""

    where: str
    """The view it speaks of, as the command table calls it."""
    title: str
    text: str
    command: str = ""
    """What to do next: a command of the table; "" = nothing, this is the last one."""
    then: str = ""
    """What comes of it, in a few words."""


STEPS = (
    Step(
        "fleet",
        "The fleet",
        "Each row is a model server, the worst on top. The mark and the word are its state; “for”, where it has room, is since when. A – is a number that nobody knows; it never means 0.",
        "down",
        "select another one",
    ),
    Step(
        "fleet",
        "How busy it is",
        "run and wait are requests, tok/s is what all of them get together, KV/VRAM how full its memory is. Where there is room, the selected server and the machines' GPUs stand below.",
        "filter",
        "look for some of them: type kv>10%, state:ok or a name",
    ),
    Step(
        "fleet",
        "What the filter keeps",
        "It works while you type. !word keeps the others, several words must all hold.",
        "back",
        "take it away again",
    ),
    Step(
        "fleet",
        "One of them",
        "There is a page for everything that has a row.",
        "open",
        "open the selected server",
    ),
    Step(
        "endpoint",
        "A server's page",
        "Latency by percentiles, why requests ended, replicas, charts of the last minutes, and at the bottom every raw value with the page it was read from.",
        "window",
        "see more, or less, of the past",
    ),
    Step(
        "endpoint",
        "Acting",
        "Nothing is done without your word. What disturbs others says what, and asks first.",
        "act",
        "what can be done here, and of the rest why not; Esc closes that",
    ),
    Step(
        "endpoint",
        "The machines",
        "A key from 1 to 6 goes to a view, from anywhere; [ and ] go back and forth through what was seen.",
        "view_gpus",
        "the GPUs",
    ),
    Step(
        "gpus",
        "The GPUs",
        "The long bar is a card's memory, its letter the model that holds it, the same on every card. Below: who holds the selected one's memory. A worker whose server is gone is an ORPHAN.",
        "view_models",
        "the models",
    ),
    Step(
        "models",
        "The models",
        "Every model on every server: in memory, on disk, or only offered. Space marks rows; what is done then is done to all of them.",
        "view_chat",
        "ask some of them",
    ),
    Step(
        "chat",
        "Chat and compare",
        "One prompt to up to four models, side by side, with the time to the first token, tok/s and cost beneath each. The head says whether it leaves your network.",
        "submit",
        "send what you typed (try: What does a quarterdeck do?)",
    ),
    Step(
        "chat",
        "What an answer costs",
        "Answers go on coming in while you look elsewhere. Esc stops them; once more, it gives the keys back to the columns.",
        "view_alerts",
        "(from the columns) what is wrong",
    ),
    Step(
        "alerts",
        "Alerts and events",
        "Each alert says where, since when, by which numbers, why most likely, and what to try. Tab shows all that happened. `quarterdeck watch` tells a webhook without a console.",
        "view_jobs",
        "what was asked for",
    ),
    Step(
        "jobs",
        "Jobs",
        "Downloads, loads and starts go on when the terminal is closed, and are found again here by the next console.",
        "palette",
        "every command by its name, and verbs: pull qwen3:8b --on workbench; Esc closes it",
    ),
    Step(
        "jobs",
        "Finding your way",
        "Whatever is on the screen is explained where it stands.",
        "help",
        "keys, states and columns of the view you are on",
    ),
    Step(
        "help",
        "Your own fleet",
        "`quarterdeck` finds the servers of this machine, `quarterdeck --url http://HOST:PORT` watches another, `quarterdeck config init` writes a fleet.toml.",
    ),
)
