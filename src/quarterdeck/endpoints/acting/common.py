"""What the actors share: from an order to the method that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from quarterdeck.endpoints.acting.line import PATIENCE, Line, Patience
from quarterdeck.format import printable
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

if TYPE_CHECKING:
    from quarterdeck.config.fleet import EndpointSpec
    from quarterdeck.endpoints.acting.base import Deed, Report
    from quarterdeck.endpoints.base import Tunnel

Doing = Callable[["Deed", "Report"], Awaitable[str]]
LONGEST_NAME = 300


def refused(reason: str) -> Failure:
    """What can't be done, in words; nothing was sent."""
    return Failure(Outcome.FAILED, reason)


def model_of(deed: Deed) -> str:
    """The model an order is about. Raises Failure where it names none, or something that can be no name."""
    return _name(deed.order.model or deed.order.options.get("model"), "the model's name")


def option(deed: Deed, name: str) -> str:
    """A word the order has to carry. Raises Failure."""
    return _name(deed.order.options.get(name), name)


def whole_option(deed: Deed, name: str) -> int | None:
    """A whole number above 0, or ``None`` where the order has none. Raises Failure for anything else."""
    value = deed.order.options.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value.strip()[:12])
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise refused(f"{name} must be a whole number above 0")
    return value


def _name(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise refused(f"{what} is missing")
    name = value.strip()
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise refused(f"{what} is no name: {printable(name, 40)}")
    return name


def not_taken(deed: Deed, *names: str, server: str) -> str:
    """Words about options that this server has no way to take; "" where none were given."""
    given = [name for name in names if deed.order.options.get(name) not in (None, "")]
    return f"; {server} takes no {' and no '.join(given)} here: left as it is set there" if given else ""


class Acting:
    """An actor whose methods are named in ``deeds``."""

    server = "this server"
    """What it is called in words."""

    def __init__(self, spec: EndpointSpec, tunnel: Tunnel | None = None, *, patience: Patience = PATIENCE) -> None:
        """Opens nothing yet."""
        self.spec = spec
        self.patience = patience
        self.line = Line(spec, tunnel, patience)

    def deeds(self) -> Mapping[str, Doing]:
        """Action → what does it."""
        raise NotImplementedError

    async def act(self, deed: Deed, report: Report) -> str:
        """See `Actor.act`."""
        doing = self.deeds().get(deed.order.action)
        if doing is None:
            raise refused(f"{self.server} has no way to {deed.order.action.replace('_', ' ')}")
        return await doing(deed, report)

    async def show(self, model: str) -> Mapping[str, object]:
        """See `Actor.show`."""
        raise refused(f"{self.server} tells no more of a model than is shown")

    async def newer(self, model: str) -> str:
        """See `Actor.newer`."""
        raise refused(f"{self.server} has no registry to compare with")

    async def close(self) -> None:
        """See `Actor.close`."""
        await self.line.close()
