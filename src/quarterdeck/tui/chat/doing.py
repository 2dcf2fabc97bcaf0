"""The commands of the chat that open something: pickers, forms, pages, the editor."""

from __future__ import annotations

from quarterdeck.engine.chat.columns import Column
from quarterdeck.engine.chat.conversation import MOST_COLUMNS
from quarterdeck.format import printable
from quarterdeck.model.judging.votes import Choice
from quarterdeck.tui.chat import figures, sheet
from quarterdeck.tui.chat.handing import ChatHanding
from quarterdeck.tui.chat.judging import difference_lines, has_answer, standings_lines, votes_of, why_no_vote
from quarterdeck.tui.screens.choose import ChooseScreen, Item
from quarterdeck.tui.screens.form import Answers, Field, FormScreen
from quarterdeck.tui.screens.reading import ReadingScreen


class ChatCommands(ChatHanding):
    """What can be done besides writing and reading."""

    # ---- columns

    def do_add_column(self) -> None:
        """Pick a model for one more."""
        if len(self.sitting.talk.columns) >= MOST_COLUMNS:
            self.tell(f"there are {MOST_COLUMNS} columns already; d takes one away, m changes one")
            return
        self._pick(self._take)

    def _take(self, endpoint: str, model: str) -> None:
        self.sitting.untouched = False
        self.sitting.talk.add(endpoint, model)
        self.sitting.at = len(self.sitting.talk.columns) - 1
        self.again()

    def do_change_column(self) -> None:
        """Pick another model for the selected one."""
        column = self.sitting.column
        if column is None:
            self.do_add_column()
            return
        self._pick(lambda endpoint, model: self._change(column, endpoint, model))

    def _change(self, column: Column, endpoint: str, model: str) -> None:
        self.sitting.untouched = False
        self.sitting.talk.change(column, endpoint, model)
        self.again()

    def _pick(self, take: object) -> None:
        from quarterdeck.tui.chat.picker import PickScreen, entries

        found = entries(self.console_app.fleet, take)  # type: ignore[arg-type]
        if found:
            self.app.push_screen(PickScreen(found))
        else:
            self.tell("no endpoint has told of a model yet")

    def do_remove_column(self) -> None:
        """Take the selected one away."""
        column = self._selected()
        if column is None:
            return
        if not column.turns:
            self._remove(column)
            return
        from quarterdeck.tui.chat.asking import ConsentScreen

        name = "this column" if self.sitting.talk.hidden else printable(column.model, 60)
        impact = [f"{len(column.turns)} answer{'s' if len(column.turns) > 1 else ''} of it will be gone."]
        self.app.push_screen(
            ConsentScreen(f"Remove {name}?", impact, "Remove", lambda yes: self._remove(column) if yes else None)
        )

    def _remove(self, column: Column) -> None:
        self.sitting.talk.remove(column)
        self.again()

    # ---- settings

    def do_chat_settings(self) -> None:
        """Of all columns."""
        talk = self.sitting.talk

        def take(answers: Answers | None) -> None:
            if answers is not None:
                talk.settings = sheet.shared_settings(answers)
                self.again()

        self.app.push_screen(FormScreen("Settings of all columns", sheet.shared_fields(talk.settings), take))

    def do_column_settings(self) -> None:
        """Of the selected one."""
        column = self._selected()
        if column is None:
            return

        def take(answers: Answers | None) -> None:
            if answers is not None:
                sheet.set_column(column, answers)
                self.again()

        name = "the selected column" if self.sitting.talk.hidden else printable(column.model, 60)
        self.app.push_screen(FormScreen(f"What {name} has otherwise", sheet.column_fields(column), take))

    def do_serial(self) -> None:
        """One after another, or all at once."""
        settings = self.sitting.talk.settings
        settings.serial = not settings.serial
        self.tell("the columns are asked one after another" if settings.serial else "all columns are asked at once")

    # ---- judging

    def do_blind(self) -> None:
        """Hide the names, or show them."""
        talk = self.sitting.talk
        talk.set_blind(not talk.blind)
        if not talk.blind:
            self.tell("names are shown")
        elif talk.hidden:
            self.tell("blind: columns are shuffled, names hidden until you vote")
        else:
            self.tell("blind from the next conversation on (ctrl+n): of this one the names were seen")

    def do_vote(self) -> None:
        """Which is better?"""
        if why := why_no_vote(self.sitting):
            self.tell(why)
            return
        columns = self.sitting.talk.columns
        two = len(columns) == 2
        items = [
            Item(
                f"{self._called(place)} is {'better' if two else 'the best'}",
                key=str(place + 1),
                reason="" if has_answer(column) else "it has no answer",
            )
            for place, column in enumerate(columns)
        ]
        items += [Item("a tie", key="t"), Item("both are bad" if two else "all are bad", key="b")]
        self.app.push_screen(ChooseScreen("Which answer is better?", items, self._vote))

    def _called(self, place: int) -> str:
        if self.sitting.talk.hidden:
            return figures.LETTERS[place]
        return printable(self.sitting.talk.columns[place].model, 50)

    def _vote(self, at: int) -> None:
        talk, columns = self.sitting.talk, self.sitting.talk.columns
        best = columns[at] if at < len(columns) else None
        choice = Choice.FIRST if best is not None else Choice.TIE if at == len(columns) else Choice.BOTH_BAD
        self.sitting.votes += votes_of(columns, best, choice)
        talk.reveal()
        self.tell(f"voted: {self._called(at)}" if best is not None else "voted")

    def do_standings(self) -> None:
        """All votes so far."""
        votes = list(self.sitting.votes)
        self.app.push_screen(ReadingScreen("Votes of this session", lambda width: standings_lines(votes, width)))

    def do_word_diff(self) -> None:
        """Of the selected answer and another."""
        talk, column = self.sitting.talk, self._selected()
        others = [(place, one) for place, one in enumerate(talk.columns) if one is not column and one.last is not None]
        if column is None or column.last is None or not others:
            self.tell("a difference needs two answers")
            return
        here = talk.columns.index(column)
        if len(others) == 1:
            self._diff(here, others[0][0])
            return
        items = [Item(self._called(place), key=str(place + 1)) for place, _ in others]
        self.app.push_screen(
            ChooseScreen(f"{self._called(here)} against", items, lambda at: self._diff(here, others[at][0]))
        )

    def _diff(self, one: int, other: int) -> None:
        texts = [turn.answer.text if (turn := self.sitting.talk.columns[place].last) else "" for place in (one, other)]
        title = f"[-only {self._called(one)}-]   {{+only {self._called(other)}+}}"
        self.app.push_screen(ReadingScreen(title, lambda width: difference_lines(texts[0], texts[1], width)))

    # ---- the answer

    def do_annotate(self) -> None:
        """A note to the newest answer."""
        column = self._selected()
        turn = column.last if column is not None else None
        if turn is None:
            self.tell("nothing was asked yet")
            return

        def take(answers: Answers | None) -> None:
            if answers is not None:
                turn.note = answers["note"]
                self.again()

        field = Field("note", "note", turn.note, "too long", "Stands below the answer.")
        self.app.push_screen(FormScreen("A note to this answer", [field], take))

    def do_about_answer(self) -> None:
        """All that is known of the newest answer."""
        from quarterdeck.tui.chat.about import about_lines

        column = self._selected()
        if column is None or (turn := column.last) is None:
            self.tell("nothing was asked yet")
            return
        if self.sitting.talk.hidden:
            self.tell("names are hidden until you vote: v")
            return
        self.app.push_screen(
            ReadingScreen(f"{column.model} on {column.endpoint}", lambda width: about_lines(turn, width))
        )

    # ---- cases

    def do_run_cases(self) -> None:
        """A file of cases with the models of the columns; the matrix of a run that goes on."""
        cases = self.sitting.cases
        if cases is not None and cases.running:
            from quarterdeck.tui.screens.cases import CasesScreen

            self.app.push_screen(CasesScreen(cases))
            return
        from quarterdeck.tui.chat.running_cases import Beginning

        Beginning(self.console_app, self.sitting).ask()
