"""The console on a recording: every view works, nothing is asked or changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingsMap, BindingType

from quarterdeck.engine.recording.times import HINT, position_of
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.commands import COMMANDS, LIVE_ONLY, with_keys
from quarterdeck.tui.replay.bar import bar
from quarterdeck.tui.screens.base import ConsoleScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarterdeck.config.keymap import Wish
    from quarterdeck.engine.recording.player import Player
    from quarterdeck.tui.keys.keymap import KeyTable
    from quarterdeck.tui.screens.form import Answers

REFUSAL = "this is a recording: nothing can be asked or changed"
FURTHER_S = 60.0
HINTS = (
    ("replay_play", "play"),
    ("replay_previous replay_next", "event"),
    ("replay_back replay_step", "step"),
    ("replay_slower replay_faster", "speed"),
    ("replay_seek", "time"),
    ("help", "help"),
    ("leave", "quit"),
)
_READ_S = 8.0


def replay_bindings(keys: KeyTable | None = None) -> list[BindingType]:
    """The keys of the recording; the same on every view, as on the fleet's."""
    found = (command if keys is None else keys.command(command, "fleet") for command in COMMANDS if command.replay)
    return [
        Binding(",".join(command.keys), f"replay('{command.id}')", command.label, show=False, priority=True)
        for command in found
        if command.keys
    ]


class ReplayApp(ConsoleApp):
    """Draws what a player plays."""

    BINDINGS: ClassVar[list[BindingType]] = replay_bindings()

    def __init__(
        self,
        player: Player,
        *,
        theme_folders: Sequence[Path] | None = None,
        keys: tuple[Wish, ...] = (),
        problems: Sequence[str] = (),
    ) -> None:
        """Shows the first moment at once; plays when it is mounted. ``keys``: other ones for commands."""
        self.player = player
        fleet = replace(player.fleet, keys=keys)
        super().__init__(fleet, make_engine=lambda _: player, theme_folders=theme_folders, problems=problems)
        if self.key_table is not None:
            self._bindings = BindingsMap(
                [Binding("ctrl+c", "end", "Quit", show=False, priority=True), *replay_bindings(self.key_table)]
            )
        self.set_reactive(ConsoleApp.fleet, player.snapshot())

    def start(self) -> None:
        """After the first frame: play; what is wrong with the recording is said first."""
        super().start()
        if self.player.recording.note:
            self.say(self.player.recording.note, _READ_S)

    @property
    def moment(self) -> tuple[float, float]:
        """The recording's, so that nothing grows old while it stands still."""
        return self.fleet.at, self.fleet.time

    @property
    def replay_bar(self) -> str:  # type: ignore[override]  # a constant for the console itself
        """Where it is."""
        player = self.player
        return bar(
            playing=not player.paused,
            speed=player.speed,
            time=self.fleet.time,
            position=self.fleet.at - player.recording.ats[0],
            seconds=player.seconds,
        )

    @property
    def replay_hints(self) -> tuple[tuple[str, str], ...]:  # type: ignore[override]  # as above
        """Its keys."""
        return with_keys(HINTS, "fleet", self.key_table)

    @property
    def read_only(self) -> bool:
        """Always."""
        return True

    @property
    def paused(self) -> bool:
        """No endpoint is polled that could be paused; whether it stands still is in the bar."""
        return False

    def refuses(self, command: str) -> bool:
        """All that asks or changes something."""
        if command not in LIVE_ONLY and not (command == "open" and getattr(self.screen, "where", "") == "jobs"):
            return False
        self.say(REFUSAL)
        return True

    # ---- commands

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the recording are none while somebody types, or where a dialog has the keys."""
        if action == "replay":
            return isinstance(self.screen, ConsoleScreen) and not self._typing
        return super().check_action(action, parameters)

    @property
    def _typing(self) -> bool:
        from textual.widgets import Input, TextArea

        return isinstance(self.focused, Input | TextArea)

    def action_replay(self, command: str) -> None:
        """Do a command of the recording."""
        getattr(self, f"do_{command}")()

    def do_pause(self) -> None:
        """Play, or stand still."""
        self.player.pause(not self.player.paused)
        self._show()

    do_replay_play = do_pause

    def do_replay_step(self) -> None:
        """The next sample."""
        self.player.step(1)
        self._show()

    def do_replay_back(self) -> None:
        """The sample before."""
        self.player.step(-1)
        self._show()

    def do_replay_faster(self) -> None:
        """Twice as fast."""
        self.player.change_speed(1)
        self._show()

    def do_replay_slower(self) -> None:
        """Half as fast."""
        self.player.change_speed(-1)
        self._show()

    def do_replay_next(self) -> None:
        """Where something happened next."""
        self._jump(1, "nothing more happens in this recording")

    def do_replay_previous(self) -> None:
        """Where something happened before."""
        self._jump(-1, "nothing happened before this")

    def _jump(self, direction: int, nothing: str) -> None:
        found = self.player.jump(direction)
        self._show()
        if found:
            others = f"; {len(found) - 1} more" if len(found) > 1 else ""
            self.say(printable(f"{found[0].subject}: {found[0].word}: {found[0].text}{others}", 200), _READ_S)
        elif self.player.tape.complete:
            self.say(nothing)
        else:
            self.say("the recording is still being read; try again in a moment")

    def do_replay_forward(self) -> None:
        """A minute on."""
        self._seek(self.player.position + FURTHER_S)

    def do_replay_rewind(self) -> None:
        """A minute back."""
        self._seek(self.player.position - FURTHER_S)

    def do_replay_begin(self) -> None:
        """The beginning."""
        self._seek(0.0)

    def do_replay_end(self) -> None:
        """The end."""
        self._seek(self.player.seconds)

    def do_replay_seek(self) -> None:
        """Ask for a time, and go there."""
        from quarterdeck.tui.screens.form import Field, FormScreen

        recording = self.player.recording

        def wrong(text: str) -> str:
            try:
                position_of(text, recording)
            except UsageError as error:
                return error.message
            return ""

        def then(answers: Answers | None) -> None:
            if answers is not None:
                self._seek(position_of(answers["time"], recording))

        field = Field("time", "time", example="14:03:21", help=HINT, check=wrong)
        self.push_screen(FormScreen("Go to a time of the recording", [field], then))

    def _seek(self, position: float) -> None:
        self.player.seek(position)
        self._show()

    def _show(self) -> None:
        self.fleet = self.player.snapshot()
        self.redraw()
