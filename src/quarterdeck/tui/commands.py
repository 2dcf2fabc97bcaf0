"""The one table of commands: it feeds the keys, the palette and the help. `do_ID` of a screen, or of the app, does it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from textual.binding import Binding, BindingType

if TYPE_CHECKING:
    from quarterdeck.tui.keys.keymap import KeyTable

EVERYWHERE = (
    "fleet",
    "endpoint",
    "gpus",
    "gpu",
    "models",
    "model",
    "chat",
    "cases",
    "jobs",
    "alerts",
    "log",
    "audit",
    "reading",
    "help",
)
ROWS = ("fleet", "endpoint", "models", "model")
"""Where something is selected that can be acted on."""


class Command(NamedTuple):
    """Something the console does on request."""

    id: str
    keys: tuple[str, ...]
    """As the terminal library names them."""
    shown: str
    """The keys as people read them."""
    label: str
    help: str
    where: tuple[str, ...]
    """The screens on which it works."""
    listed: bool = True
    """Whether the palette offers it."""
    replay: bool = False
    """Whether it is there only while a recording is played."""


COMMANDS = (
    Command("open", ("enter",), "Enter", "Open", "Open the selected endpoint, model or GPU: everything known of it. Of a job, what it did.", ("fleet", "gpus", "models", "jobs", "alerts", "cases", "log")),
    Command("back", ("escape",), "Esc", "Back", "Go back; where a filter is set, clear it.", EVERYWHERE, listed=False),
    Command("up", ("up", "k"), "↑ k", "Up", "Select the row above, or scroll up.", EVERYWHERE, listed=False),
    Command("down", ("down", "j"), "↓ j", "Down", "Select the row below, or scroll down.", EVERYWHERE, listed=False),
    Command("page_up", ("pageup", "ctrl+b"), "PgUp", "Page up", "Go one page up.", EVERYWHERE, listed=False),
    Command("page_down", ("pagedown", "ctrl+f"), "PgDn", "Page down", "Go one page down.", EVERYWHERE, listed=False),
    Command("top", ("home", "g"), "g Home", "Top", "Go to the first row.", EVERYWHERE, listed=False),
    Command("bottom", ("end", "G", "upper_g"), "G End", "Bottom", "Go to the last row.", EVERYWHERE, listed=False),
    Command("unfold", ("right",), "→", "Unfold", "Show the models and replicas below the endpoint.", ("fleet",), listed=False),
    Command("fold", ("left",), "←", "Fold", "Hide them again.", ("fleet",), listed=False),
    Command("earlier", ("left",), "←", "Earlier", "Move the time cursor of the charts back; the values there are listed.", ("endpoint", "gpu"), listed=False),
    Command("later", ("right",), "→", "Later", "Move it forward. Home and End go to the ends of the window, Esc takes it away.", ("endpoint", "gpu"), listed=False),
    Command("window", ("w",), "w", "Chart window", "Charts of 1 min, 5 min, 15 min or 1 h, in turn.", ("endpoint", "gpu")),
    Command("previous_gpu", ("left", "h"), "← h", "Previous GPU", "Select the GPU before.", ("gpus",), listed=False),
    Command("next_gpu", ("right", "l"), "→ l", "Next GPU", "Select the GPU after.", ("gpus",), listed=False),
    Command("end_orphan", ("x",), "x", "End an orphan", "End a worker that holds GPU memory though its server is gone. Asks first.", ("gpus", "gpu")),
    Command("next_section", ("tab",), "Tab", "Next section", "Go to the next section of the page.", ("endpoint",)),
    Command("previous_section", ("shift+tab",), "⇧Tab", "Previous section", "Go to the section before.", ("endpoint",)),
    Command("time_request", ("t",), "t", "Time a request", "Send one small request (16 tokens) to a model in memory, and time it. Asks first where it is external, a gateway or protected.", ("endpoint",)),
    Command("toggle", ("x",), "x", "Unfold or fold", "Show or hide the models and replicas of the endpoint.", ("fleet",)),
    Command("filter", ("slash",), "/", "Filter", "Keep the rows that have a word; !word drops them. Also field:value, field=value and comparisons such as gpu>80; the fields are below. In a log: a word.", ("fleet", "gpus", "models", "alerts", "jobs", "log")),
    Command("follow", ("f",), "f", "Follow", "Keep the newest line in view, or stand still.", ("log",)),
    Command("next_hit", ("n",), "n", "Next", "Go to the next line that has what is searched for.", ("log",), listed=False),
    Command("earlier_hit", ("N", "upper_n"), "N", "Previous", "Go to the line before that has it.", ("log",), listed=False),
    Command("sort", ("s",), "s", "Sort", "Sort otherwise, in turn. A Shift+letter sorts by that column at once, and turns it round where it is sorted so; so does a click on a title.", ("fleet", "gpus", "models", "alerts", "jobs")),
    Command("sort_state", ("S", "upper_s"), "S", "Sort by state", "Sort by state, the worst first; GPUs by trouble, alerts by severity.", ("fleet", "gpus", "models", "alerts", "jobs")),
    Command("sort_name", ("N", "upper_n"), "N", "Sort by name", "Sort by name; alerts and events by place.", ("fleet", "models", "alerts", "jobs")),
    Command("sort_tps", ("T", "upper_t"), "T", "Sort by tok/s", "Sort by generated tokens a second.", ("fleet",)),
    Command("sort_queue", ("W", "upper_w"), "W", "Sort by queue", "Sort by requests that wait.", ("fleet",)),
    Command("sort_memory", ("M", "upper_m"), "M", "Sort by memory", "Sort by memory in use: of the fleet by KV cache, then by GPU memory.", ("fleet", "gpus")),
    Command("sort_engine", ("E", "upper_e"), "E", "Sort by engine", "Sort by what serves.", ("fleet",)),
    Command("sort_endpoint", ("E", "upper_e"), "E", "Sort by endpoint", "Sort by the endpoint that has it.", ("models",)),
    Command("sort_host", ("H", "upper_h"), "H", "Sort by machine", "Sort by machine.", ("fleet", "gpus", "models")),
    Command("sort_load", ("U", "upper_u"), "U", "Sort by utilisation", "Sort by how busy they are.", ("gpus",)),
    Command("sort_heat", ("T", "upper_t"), "T", "Sort by temperature", "Sort by temperature, the hottest first.", ("gpus",)),
    Command("sort_size", ("Z", "upper_z"), "Z", "Sort by size", "Sort by size, the largest first.", ("models",)),
    Command("sort_time", ("T", "upper_t"), "T", "Sort by time", "Sort by time, the newest first.", ("alerts", "jobs")),
    Command("group", ("tab",), "Tab", "By name, or one by one", "List each model once with all endpoints that have it below, or each where it is.", ("models",)),
    Command("view_fleet", ("1",), "1", "Fleet", "Show the endpoints.", EVERYWHERE),
    Command("view_gpus", ("2",), "2", "GPUs", "Show every GPU, how it is, and who holds its memory.", EVERYWHERE),
    Command("view_models", ("3",), "3", "Models", "Show every model on every endpoint: where it is, what it takes; the place to act on many.", EVERYWHERE),
    Command("view_chat", ("4",), "4", "Chat", "Ask one to four models the same, side by side; what is on its way goes on while you look elsewhere.", EVERYWHERE),
    Command("view_alerts", ("5",), "5", "Alerts and events", "Show what is wrong, since when, why and what to try; and what happened in the fleet.", EVERYWHERE),
    Command("view_jobs", ("6",), "6", "Jobs", "Show the jobs: downloads, loads, starts, and how far they are.", EVERYWHERE),
    Command("maximise", ("e",), "e", "Maximise", "Give a pane all the room; the next one; then each its share again. In the chat: the selected column.", ("fleet", "endpoint", "gpus", "alerts", "jobs", "chat")),
    Command("history_back", ("left_square_bracket",), "[", "Back in history", "Go to the view or page that was seen before.", EVERYWHERE),
    Command("history_forward", ("right_square_bracket",), "]", "Forward in history", "Go to where [ came from.", EVERYWHERE),
    Command("chat", ("C", "upper_c"), "C", "Chat with it", "Ask the selected model in the chat, as one more column of it.", ROWS),
    Command("submit", ("enter",), "Enter", "Send", "Send the prompt to all columns; from the columns: write one. Ctrl+J is a new line.", ("chat",), listed=False),
    Command("write", ("i", "tab", "shift+tab"), "Tab i", "Write", "Give the keys to the prompt; Tab gives them back to the columns.", ("chat",), listed=False),
    Command("previous_column", ("left", "h"), "← h", "Previous column", "Select the column at the left.", ("chat", "cases"), listed=False),
    Command("next_column", ("right", "l"), "→ l", "Next column", "Select the column at the right.", ("chat", "cases"), listed=False),
    Command("cancel_column", ("x",), "x", "Cancel this column", "Stop the answer of the selected column; what came stays. Esc stops all.", ("chat",)),
    Command("retry_column", ("R", "upper_r"), "R", "Retry this column", "Ask the selected column the last prompt again.", ("chat",)),
    Command("add_column", ("a",), "a", "Add a model …", "One more column: any model of any endpoint.", ("chat",)),
    Command("change_column", ("m",), "m", "Change the model …", "Another model in the selected column; what was said in it goes.", ("chat",)),
    Command("remove_column", ("d", "delete"), "d", "Remove this column", "Take the selected column away.", ("chat",)),
    Command("chat_settings", ("s",), "s", "Settings …", "System prompt, sampling, JSON schema, repeats, warm-up: for all columns.", ("chat",)),
    Command("column_settings", ("S", "upper_s"), "S", "Settings of this column …", "What the selected column has otherwise.", ("chat",)),
    Command("formatted", ("f",), "f", "Formatted or raw", "Show answers that are done as rendered Markdown, or as they came.", ("chat",)),
    Command("thoughts", ("z",), "z", "Thoughts", "Unfold what the models thought, or fold it.", ("chat",)),
    Command("serial", ("p",), "p", "One after another", "Ask the columns one after another, or all at once. On one machine they slow each other down.", ("chat",)),
    Command("blind", ("b",), "b", "Blind", "Shuffle the columns and hide their names until you vote.", ("chat",)),
    Command("vote", ("v",), "v", "Vote …", "Say which answer is better, or that none is.", ("chat",)),
    Command("standings", (), "", "Votes", "All votes of this session, by pair of models.", ("chat",)),
    Command("word_diff", ("D", "upper_d"), "D", "Difference …", "The words in which two answers differ.", ("chat",)),
    Command("annotate", ("n",), "n", "Note …", "Write a note to the newest answer of the selected column.", ("chat",)),
    Command("about_answer", ("o",), "o", "All numbers", "Everything known of the newest answer: settings, circumstances, notes.", ("chat",)),
    Command("editor", ("ctrl+e",), "^E", "Editor", "Write the prompt in $VISUAL or $EDITOR.", ("chat",)),
    Command("save_case", (), "", "Save as a case …", "Append the last prompt to a file of cases (JSONL).", ("chat",)),
    Command("run_cases", ("C", "upper_c"), "C", "Cases …", "Run a file of cases with the models of the columns: what passes, fails, how long it takes.", ("chat",)),
    Command("stop_cases", ("x",), "x", "Stop the run", "Ask no more cases; what was answered is kept.", ("cases",)),
    Command("rerun_cases", ("R", "upper_r"), "R", "Go on, or failures again", "Ask what is missing; where all is answered, ask once more what did not pass.", ("cases",)),
    Command("new_chat", ("ctrl+n",), "^N", "New conversation", "Forget what was said; the columns stay.", ("chat",)),
    Command("act", ("a",), "a", "Act …", "What can be done to the selected endpoint or model, or to all that are marked; what can't is greyed, with the reason.", ROWS),
    Command("mark", ("space",), "Space", "Mark", "Mark the row, or take the mark away; a and the keys of actions then mean all that is marked. Esc takes all marks away.", ("fleet", "models"), listed=False),
    Command("launch", ("n",), "n", "Launch a vLLM …", "Start a new vLLM on this machine: a form that shows the exact command and what it would take, and can save it as a [[deployment]].", ("fleet", "endpoint", "gpus", "jobs")),
    Command("log", ("l",), "l", "Log", "Follow the log of the server, where a [[deployment]] of fleet.toml starts it; of a job, what it did.", (*ROWS, "jobs")),
    Command("read_only", (), "", "Read-only: on or off", "Nothing can be changed from this console until it is switched off again.", EVERYWHERE),
    Command("audit", (), "", "Audit log", "Who did what, when, and how it went.", EVERYWHERE),
    Command("newer", ("u",), "u", "Newer upstream?", "Ask the model's registry whether it has a newer one under the same tag.", ("model",)),
    Command("cancel_job", ("x", "delete"), "x", "Cancel the job", "Stop the selected job; what it has done so far stays where the server keeps it.", ("jobs",)),
    Command("resume_job", ("R", "upper_r"), "R", "Resume the job", "Begin a job again that failed, was cancelled or whose worker is gone; a download goes on from where it was.", ("jobs",)),
    Command("other_list", ("tab",), "Tab", "Alerts or events", "Switch between the alerts and what happened.", ("alerts",)),
    Command("acknowledge", ("a",), "a", "Acknowledge …", "Say that the selected alert was seen, with a note; its mark goes, the alert stays until it clears.", ("alerts",)),
    Command("silence", ("z",), "z", "Silence …", "Tell nobody of the selected alert, its rule or its place for a while; or tell again.", ("alerts",)),
    Command("refresh", ("r",), "r", "Refresh", "Ask everybody now (on an endpoint's screen: that one).", ("fleet", "endpoint", "gpus", "gpu", "models", "model", "audit")),
    Command("pause", ("p",), "p", "Pause", "Stop polling, or go on. The last numbers stay and grow old.", ("fleet", "endpoint", "gpus", "gpu", "models")),
    Command("slower", ("plus",), "+", "Longer interval", "Poll less often.", ("fleet", "endpoint", "gpus", "gpu", "models")),
    Command("faster", ("minus",), "-", "Shorter interval", "Poll more often.", ("fleet", "endpoint", "gpus", "gpu", "models")),
    Command("copy", ("c", "y"), "c y", "Copy to the clipboard", "Copy what is selected: an endpoint's URL, a model's id, an alert in full, an answer, raw values; again: what else there is. It says which way it went: a program of this machine, tmux, the terminal, or a file.", tuple(place for place in EVERYWHERE if place != "help")),
    Command("save", ("ctrl+s",), "^S", "Save the view …", "Save what is seen in a file: as text (all rows), as a picture (SVG), or its data (JSON); a conversation as Markdown, too.", EVERYWHERE),
    Command("palette", ("ctrl+p", "colon"), ": ^P", "Commands", "Find a command or an endpoint by name.", EVERYWHERE, listed=False),
    Command("tour", (), "", "Tour", "Be shown around in two minutes: what stands on each view, and which key comes next.", EVERYWHERE),
    Command("help", ("question_mark",), "?", "Help", "Keys, states and columns.", tuple(place for place in EVERYWHERE if place != "help")),
    Command("theme", (), "", "Theme", "Choose the colours from a list; each is seen at once, and what is taken is remembered.", EVERYWHERE),
    Command("repaint", ("ctrl+l",), "^L", "Draw the screen again", "For when something else wrote on the terminal.", EVERYWHERE),
    Command("suspend", ("ctrl+z",), "^Z", "Suspend", "Back to the shell; fg returns. Polling rests meanwhile.", EVERYWHERE, listed=False),
    Command("leave", ("q",), "q", "Quit", "Quit from the fleet; elsewhere go back.", EVERYWHERE, listed=False),
    Command("quit", ("ctrl+c",), "^C", "Quit", "Quit at once.", EVERYWHERE),
    Command("replay_play", ("space",), "Space p", "Play or pause", "Play the recording, or stand still; at its end, play it from the beginning.", EVERYWHERE, replay=True),
    Command("replay_step", ("full_stop",), ".", "Next sample", "Stand still at the next sample.", EVERYWHERE, replay=True),
    Command("replay_back", ("comma",), ",", "Previous sample", "Stand still at the sample before.", EVERYWHERE, replay=True),
    Command("replay_faster", ("greater_than_sign",), ">", "Play faster", "Twice as fast, up to 64x.", EVERYWHERE, replay=True),
    Command("replay_slower", ("less_than_sign",), "<", "Play slower", "Half as fast, down to 0.25x.", EVERYWHERE, replay=True),
    Command("replay_next", ("right_square_bracket",), "]", "Next event", "Go to where something happened next: a state, a model, a job, an alert.", EVERYWHERE, replay=True),
    Command("replay_previous", ("left_square_bracket",), "[", "Previous event", "Go to where something happened before.", EVERYWHERE, replay=True),
    Command("replay_forward", ("right_parenthesis",), ")", "A minute on", "Go a minute on.", EVERYWHERE, replay=True),
    Command("replay_rewind", ("left_parenthesis",), "(", "A minute back", "Go a minute back.", EVERYWHERE, replay=True),
    Command("replay_begin", ("left_curly_bracket",), "{", "Beginning", "Go to the beginning of the recording.", EVERYWHERE, replay=True),
    Command("replay_end", ("right_curly_bracket",), "}", "End", "Go to the end of the recording.", EVERYWHERE, replay=True),
    Command("replay_seek", ("at",), "@", "Go to a time …", "Go to a time: 14:03:21, +10m from the beginning, -5m from the end.", EVERYWHERE, replay=True),
)  # fmt: skip

LIVE_ONLY = frozenset(
    [
        "act",
        "mark",
        "launch",
        "log",
        "audit",
        "newer",
        "time_request",
        "read_only",
        "refresh",
        "slower",
        "faster",
        "end_orphan",
        "cancel_job",
        "resume_job",
        "acknowledge",
        "silence",
        "history_back",
        "history_forward",
        "tour",
        "view_chat",
        "chat",
    ]
)
"""What asks, changes or looks at the fleet of now: not to be had of a recording."""

INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""What + and - choose from, in seconds."""


def commands_for(where: str, *, replay: bool = False, keys: KeyTable | None = None) -> list[Command]:
    """The commands that work on a screen; ``replay``: while a recording is played; ``keys``: where some have other keys."""
    found = [command for command in COMMANDS if where in command.where and is_there(command, replay=replay)]
    return found if keys is None else [keys.command(command, where) for command in found]


BY_ID = {command.id: command for command in COMMANDS}


def keys_shown(identity: str, where: str, keys: KeyTable | None = None) -> str:
    """The keys of a command on a screen, as people read them; "" where it has none."""
    command = BY_ID[identity]
    return command.shown if keys is None else keys.command(command, where).shown


def with_keys(
    hints: Iterable[tuple[str, str]], where: str, keys: KeyTable | None = None
) -> tuple[tuple[str, str], ...]:
    """Hints for people, made of ids of commands and what they do: each with the first key of its commands.

    Several ids ("earlier later") stand with a space between them; what is no id stays as it is. What has no key is left out.
    """
    found = []
    for ids, label in hints:
        each = [keys_shown(one, where, keys).partition(" ")[0] if one in BY_ID else one for one in ids.split()]
        if shown := " ".join(filter(None, each)):
            found.append((shown, label))
    return tuple(found)


def is_there(command: Command, *, replay: bool) -> bool:
    """Whether a command is one of the console, or of a recording that is played."""
    if replay:
        return command.id not in LIVE_ONLY and command.id != "pause"  # its key plays: the row of the recording says so
    return not command.replay


def bindings(where: str, keys: KeyTable | None = None) -> list[BindingType]:
    """The keys of a screen."""
    return [
        Binding(",".join(command.keys), f"run('{command.id}')", command.label, show=False, id=command.id)
        for command in commands_for(where, keys=keys)
        if command.keys
    ]


def next_interval(current: float, step: int) -> float | None:
    """The interval after (+1) or before (-1) the current one; ``None`` at the end of the list."""
    further = [value for value in INTERVALS if (value > current if step > 0 else value < current)]
    if not further:
        return None
    return min(further) if step > 0 else max(further)
