"""What the verbs can name: endpoints, models, deployments, themes, columns, fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.model.fleet import EMPTY_FLEET, EndpointView, FleetSnapshot

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.screens.base import ConsoleScreen


class Name(NamedTuple):
    """Something that can be named, and a word on it."""

    text: str
    aside: str = ""


class Known(NamedTuple):
    """What is known where a line is typed."""

    fleet: FleetSnapshot = EMPTY_FLEET
    config: FleetConfig = FleetConfig()
    read_only: bool = False
    selected: str = ""
    """The endpoint that is selected; it is offered first."""
    themes: tuple[Name, ...] = ()
    orders: tuple[Name, ...] = ()
    fields: tuple[Name, ...] = ()

    @property
    def views(self) -> list[EndpointView]:
        """The endpoints, the selected one first."""
        return sorted(self.fleet.endpoints, key=lambda view: view.name != self.selected)


def known_on(screen: ConsoleScreen) -> Known:
    """What is known on a screen."""
    from quarterdeck.tui.screens.acting import ActingScreen
    from quarterdeck.tui.screens.filtering import ListingScreen

    app = screen.console_app
    view = screen.endpoint_view if isinstance(screen, ActingScreen) else None
    orders: tuple[Name, ...] = ()
    if isinstance(screen, ListingScreen):
        state = screen.table.state
        orders = tuple(
            Name(order.id, order.words + (" (now)" if order.id == state.order.id else "")) for order in state.orders
        )
    return Known(
        app.fleet,
        app.watched,
        app.read_only,
        view.name if view is not None else "",
        _themes(app),
        orders,
        _fields(screen.where),
    )


def _themes(app: ConsoleApp) -> tuple[Name, ...]:
    """All there are, and which is in force."""
    from quarterdeck.tui.colors.theme_list import names

    return tuple(Name(name, "now" if name == app.theme else aside) for name, aside in names(app.theme_folders))


def _fields(where: str) -> tuple[Name, ...]:
    """The fields by which the view is filtered."""
    from quarterdeck.tui.sieve import VIEWS, vocabulary

    if where not in VIEWS:
        return ()
    return tuple(Name(field.name, f"{field.meaning} Such as {field.example}") for field in vocabulary(where).fields)
