"""The palette in which commands are found by words and typed with all they need: `:pull qwen3 --on mac`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from quarterdeck.format import printable
from quarterdeck.tui.lines import MUTED, WARN, Line, Run, wrap
from quarterdeck.tui.screens.acting import ActingScreen
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.screens.palette import NOTHING, Entry, PaletteScreen, palette_entries
from quarterdeck.tui.screens.palette import found as worded_entries
from quarterdeck.tui.verbs import doing
from quarterdeck.tui.verbs.checking import Checked, checked
from quarterdeck.tui.verbs.history import VerbHistory
from quarterdeck.tui.verbs.known import Known, known_on
from quarterdeck.tui.verbs.marking import Marking
from quarterdeck.tui.verbs.offering import behind, in_reach, is_done, is_meant, worded
from quarterdeck.tui.verbs.reading import Sentence, Wrong, read
from quarterdeck.tui.verbs.table import Verb, verbs
from quarterdeck.tui.widgets.lines_view import LinesBlock

WIDTH = 84
_MOST_SAID = 3
"""Lines of what is said below the line …"""
_EMPTY_HINT = "words find; verbs run, such as pull qwen3 --on mac; ↑ brings back what was run"


class VerbScreen(PaletteScreen):
    """Type, complete, run."""

    DEFAULT_CSS = f"""
    VerbScreen > Vertical {{ width: {WIDTH}; }}
    VerbScreen Input, VerbScreen Input:focus {{ margin-bottom: 0; }}
    VerbScreen #said {{ background: $ground-head; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", show=False),
        Binding("shift+tab", "move(-1)", show=False),
        Binding("up", "earlier", show=False),
        Binding("down", "later", show=False),
        Binding("ctrl+r", "history", "History", show=False),
    ]

    def __init__(self, below: ConsoleScreen, history: VerbHistory) -> None:
        """``below``: the screen that it was opened on."""
        super().__init__(palette_entries(below))
        app = below.console_app
        self._below, self._history = below, history
        self._replay = bool(app.replay_bar)
        self._verbs: Sequence[Verb] = verbs(below.where, replay=self._replay)
        self._targets = isinstance(below, ActingScreen) and bool(below.targets) and not self._replay
        self._searching = self._moved = False
        self._offered: str | None = None
        """The line for which the entries are."""
        self._walked: str | None = None
        """The line of the history that stands in the prompt."""
        self._names: Known | None = None
        self._said = LinesBlock(id="said", height=1)
        self._marking = Marking(lambda: app.ink.style(WARN, "box"))
        self._prompt.highlighter = self._marking
        self._prompt.placeholder = "command or endpoint"
        self._prompt.at_once = {
            "tab": self.action_complete,
            "shift+tab": lambda: self.action_move(-1),
            "up": self.action_earlier,
            "down": self.action_later,
            "ctrl+r": self.action_history,
            "enter": self._choose,
        }

    def compose(self) -> ComposeResult:
        """The line to type in, what is said of it, what may come next."""
        yield Vertical(self._prompt, self._said, self._choices)

    # ---- what is offered

    @property
    def line(self) -> str:
        """What is typed; a colon before it is one too many."""
        return self._prompt.value.lstrip(": ") if self._prompt.value[:1] in (":", " ") else self._prompt.value

    def _known(self) -> Known:
        """The fleet of now; the rest stays as it was when this was opened."""
        if self._names is None:
            self._names = known_on(self._below)
        app = self._below.console_app
        return self._names._replace(fleet=app.fleet, read_only=app.read_only)

    def _check(self, line: str) -> Checked:
        return checked(line, self._verbs, self._known(), replay=self._replay)

    def catch_up(self) -> None:
        """What is offered fits what is typed; a key that came right behind it may have seen to that already."""
        if self._offered != self.line:
            self._offer()

    def _offer(self) -> None:
        self._offered = self.line
        self._moved = False
        self._choices.nothing = NOTHING
        line = self.line
        if self._walked is not None and self._walked != line:
            self._walked = None
        if self._searching:
            self._tell("what was run before; Enter runs it, Tab takes it into the line", MUTED)
            self._choices.nothing = "nothing of that was run in this session"
            self._choices.show([Entry(each, "", partial(self._submit, each)) for each in self._history.found(line)])
            return
        sentence = read(line, self._verbs)
        if sentence.behind:
            self._offer_behind(sentence)
        else:
            self._tell("" if line else _EMPTY_HINT, MUTED)
            self._choices.show(worded(line, self._entries, self._verbs, acts=self._targets, submit=self._submit))

    def _offer_behind(self, sentence: Sentence) -> None:
        """What may come next behind a verb; the line itself on top, where it can be run."""
        found, known = self._check(sentence.line), self._known()
        entries = behind(sentence, found, known, self._submit)
        wrong = found.wrong if found.wrong is not None and is_done(found.wrong, sentence) else None
        if wrong is not None:
            self._complain(wrong)
        else:
            self._tell(in_reach(sentence, runs=found.wrong is None), MUTED)
        words = worded_entries(self._entries, sentence.line) if sentence.partial.text else []
        meant = found.wrong is None or is_meant(entries, sentence) or bool(sentence.partial.text and not entries)
        self._choices.nothing = ""
        self._choices.show([*entries, *words], selected=meant and bool(entries or words))

    # ---- what is said

    def _tell(self, text: str, tone: str) -> None:
        self._marking.wrong = None
        self._say(text, tone)

    def _complain(self, wrong: Wrong) -> None:
        """What is wrong, and where."""
        shift = len(self._prompt.value) - len(self.line)
        self._say(wrong.text, WARN)
        self._marking.wrong = Wrong(wrong.text, wrong.start + shift, wrong.end + shift)
        self._prompt.refresh()

    def _say(self, text: str, tone: str) -> None:
        width = min(WIDTH, self.app.size.width) - 2
        parts = wrap(printable(text, 400), max(8, width - 2))[:_MOST_SAID] or [""]
        if self._said.styles.height is None or self._said.size.height != len(parts):
            self._said.styles.height = len(parts)
        self._said.show([Line((Run(f" {part}", tone),), "box") for part in parts])

    # ---- keys

    def action_move(self, by: int) -> None:
        """Select another entry."""
        self.catch_up()
        self._moved = True
        super().action_move(by)

    def action_earlier(self) -> None:
        """Up: what was run before, where nothing is typed or that stands in the line; else the entry above."""
        self.catch_up()
        line = self.line
        if not self._searching and self._choices.at <= 0 and (not line or self._walked == line):
            earlier = self._history.before(line)
            if earlier is not None:
                self._walk(earlier)
            return
        self.action_move(-1)

    def action_later(self) -> None:
        """Down: what was run after it, or the entry below."""
        self.catch_up()
        if self._walked is not None and self._walked == self.line and not self._moved:
            self._walk(self._history.after(self._walked))
        else:
            self.action_move(1)

    def _walk(self, line: str) -> None:
        self._walked = line or None
        self._put(line)

    def _put(self, line: str) -> None:
        self._prompt.value = line
        self._prompt.cursor_position = len(line)

    def action_history(self) -> None:
        """Look through what was run, or no longer."""
        self._searching = not self._searching
        self._offer()

    def action_close(self) -> None:
        """Out of the history; else do nothing."""
        if self._searching:
            self.action_history()
        else:
            super().action_close()

    def action_complete(self) -> None:
        """Tab: put the selected entry into the line, or the first that can be."""
        self.catch_up()
        entries, at = self._choices.entries, self._choices.at
        if self._searching:
            if self._choices.chosen is not None:
                self._searching = False
                self._put(self._choices.chosen.label)
            return
        chosen = self._choices.chosen
        if chosen is None or not chosen.insert:
            beginning = [each for each in entries[max(0, at) :] if each.insert and not each.faint]
            chosen = beginning[0] if beginning else None
        if chosen is not None:
            self._insert(chosen)

    def _insert(self, entry: Entry) -> None:
        """In the place of the word at the end."""
        sentence = read(self.line, self._verbs)
        start = sentence.partial.start if sentence.behind else 0
        open_ended = entry.insert.endswith((":", "="))
        self._put(self.line[:start] + entry.insert + ("" if open_ended else " "))

    # ---- Enter

    def take_clicked(self) -> None:
        """Take what was clicked."""
        self._moved = True
        self._choose()

    def _choose(self) -> None:
        if not self.is_current:  # a second Enter for a palette that has gone
            return
        self.catch_up()
        entry = self._choices.chosen
        sentence = read(self.line, self._verbs)
        if entry is None:
            self._submit(self.line)
        elif not entry.insert:
            self._run_entry(entry)
        elif not self._moved and sentence.behind and not sentence.partial.text:
            self._submit(self.line)
        else:
            self._insert(entry)
            found = self._check(self.line)
            verb = found.sentence.verb
            if found.wrong is None and verb is not None and not verb.action and found.sentence.given:
                self._submit(self.line)

    def _run_entry(self, entry: Entry) -> None:
        if isinstance(entry.run, partial) and entry.run.func == self._submit:
            entry.run()
            return
        if read(self.line, self._verbs).verb is not None:
            self._history.add(self.line)
        self.app.pop_screen()
        self.app.call_later(entry.run)

    def _submit(self, line: str) -> None:
        """Run a line, or say what is wrong with it; nothing that was typed is lost."""
        sentence = read(line, self._verbs)
        verb = sentence.verb
        if verb is not None and verb.action and not sentence.given and not sentence.wrong and self._targets:
            self._done(line, partial(_act, self._below, verb.action))
            return
        found = self._check(line)
        if found.wrong is not None:
            self._searching = False
            if line != self.line:
                self._put(line)
            self.catch_up()
            self._complain(found.wrong)
        else:
            self._done(line, partial(doing.run, self._below, found))

    def _done(self, line: str, run: Callable[[], None]) -> None:
        self._history.add(line)
        self.app.pop_screen()
        self.app.call_later(run)


def _act(screen: ConsoleScreen, identity: str) -> None:
    if isinstance(screen, ActingScreen):
        screen.act(identity)
