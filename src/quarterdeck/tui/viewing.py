"""Which view is seen, what each of them remembers meanwhile, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from quarterdeck.tui.terminal_app import TerminalApp

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.tour.guide import Tour
    from quarterdeck.tui.visits import Place, Visits

Kept = TypeVar("Kept")


class Viewing(TerminalApp):
    """The commands that go from one view to another."""

    visits: Visits
    """Where the operator was."""
    tour: Tour | None
    """The tour, while it goes on."""

    def say(self, text: str, seconds: float = 5.0, *, topic: str = "") -> None:
        """Put news into the status line for a few seconds."""
        raise NotImplementedError

    _states: dict[type, object] | None = None

    def kept(self, kind: type[Kept]) -> Kept:
        """What a view remembers while others are seen: one of a kind, made when it is first asked for."""
        if self._states is None:
            self._states = {}
        if kind not in self._states:
            self._states[kind] = kind()
        return cast("Kept", self._states[kind])

    def do_view_fleet(self) -> None:
        """The top view."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def do_view_gpus(self) -> None:
        """The GPU view."""
        from quarterdeck.tui.screens.gpus import GpusScreen
        from quarterdeck.tui.widgets.gpu_table import GpusState

        if not isinstance(self.screen, GpusScreen):
            self.do_view_fleet()
            self.push_screen(GpusScreen(self.kept(GpusState)))

    def do_view_models(self) -> None:
        """Every model on every endpoint."""
        from quarterdeck.tui.models.state import ModelsState
        from quarterdeck.tui.screens.models import ModelsScreen

        if not isinstance(self.screen, ModelsScreen):
            self.do_view_fleet()
            self.push_screen(ModelsScreen(self.kept(ModelsState)))

    def open_endpoint(self, name: str) -> None:
        """The page of an endpoint."""
        from quarterdeck.tui.screens.endpoint import EndpointScreen

        self.do_view_fleet()
        self.push_screen(EndpointScreen(name))

    def do_view_jobs(self) -> None:
        """What was asked for, and how far it is."""
        from quarterdeck.tui.screens.jobs import JobsScreen
        from quarterdeck.tui.widgets.job_table import JobsState

        if not isinstance(self.screen, JobsScreen):
            self.do_view_fleet()
            self.push_screen(JobsScreen(self.kept(JobsState)))

    def do_view_alerts(self) -> None:
        """What is wrong, and what happened."""
        from quarterdeck.tui.screens.alerts import AlertsScreen
        from quarterdeck.tui.widgets.alert_table import AlertsState

        if not isinstance(self.screen, AlertsScreen):
            self.do_view_fleet()
            self.push_screen(AlertsScreen(self.kept(AlertsState)))

    def do_view_chat(self) -> None:
        """Ask models, side by side."""
        from quarterdeck.tui.chat.entering import open_chat

        open_chat(cast("ConsoleApp", self))

    def do_history_back(self) -> None:
        """To what was seen before."""
        self._go(self.visits.step(-1), "this is where it began")

    def do_history_forward(self) -> None:
        """To where one came back from."""
        self._go(self.visits.step(1), "nothing was seen after this")

    def _go(self, place: Place | None, at_the_end: str) -> None:
        if place is None:
            self.say(at_the_end)
            return
        from quarterdeck.tui.returning import go_to

        go_to(cast("ConsoleApp", self), place)

    def do_tour(self) -> None:
        """Be shown around; from the beginning."""
        from quarterdeck.tui.tour.guide import Tour

        if self.tour is not None:
            self.tour.end()
        self.tour = Tour(cast("ConsoleApp", self))
        self.tour.begin()

    def take_keys(self, keys: Mapping[str, str]) -> None:
        """Give keys an action, for a while: also in dialogs, and while somebody types."""
        for key, action in keys.items():
            self._bindings.bind(key, action, priority=True)

    def leave_keys(self, keys: Iterable[str]) -> None:
        """They have none any more."""
        for key in keys:
            self._bindings.key_to_bindings.pop(key, None)

    def action_tour(self, way: str) -> None:
        """A key of the tour."""
        if self.tour is not None:
            self.tour.go(way)
