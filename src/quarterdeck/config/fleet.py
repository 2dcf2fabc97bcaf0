"""The configuration as the rest of the program sees it: frozen, complete, every default in place. Durations in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.model.chat.boundary import Policy
from quarterdeck.model.fleet import Boundary
from quarterdeck.model.limits import Limits as Limits  # noqa: PLC0414  part of the configuration, defined where it is used

if TYPE_CHECKING:
    from quarterdeck.config.keymap import Wish
    from quarterdeck.config.specs import AlertSpec, DeploymentSpec, PriceSpec, SinkSpec

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
NO_SWITCHES: Mapping[str, bool] = MappingProxyType({})

ENGINES = ("auto", "ollama", "vllm", "llamacpp", "sglang", "litellm", "lmstudio", "llama-swap", "tgi", "openai")
"""What ``engine`` may be; ``auto`` asks the server."""

DRIVERS = ("process", "ssh", "systemd", "docker", "kubernetes", "command")
"""What starts and stops a deployment's server."""

EXTERNAL_POLL_S = 30.0
"""Default interval for external endpoints: other people's servers are not asked every other second."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Where a key is found; exactly one of ``env``, ``file``, ``command`` is set. Never the key itself."""

    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] | None = None
    header: str = "Authorization"
    scheme: str = "Bearer"
    """Put before the key; "" sends the bare key (``X-Api-Key``)."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How an https endpoint is verified and, for mTLS, what we show it."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """One ``[[endpoint]]``."""

    name: str
    url: str
    """http(s)://host[:port][/path], without credentials, query or trailing slash."""
    engine: str = "auto"
    host: str | None = None
    """Name of the ``[[host]]`` it runs on."""
    boundary: Boundary = Boundary.LOCAL
    protected: bool = False
    poll: float | None = None
    """Own interval; ``None`` = the console's (30 s where ``boundary`` is external)."""
    timeout: float = 2.0
    """Deadline of a whole poll."""
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS, hash=False)
    auth: Auth | None = None
    tls: Tls = field(default_factory=Tls)
    proxy: str | None = None
    via: str | None = None
    """"ssh:DESTINATION": reached through a tunnel. What names a [[host]] in the file is that host's ``ssh`` here."""
    access_log: str | None = None
    """Of an Ollama: "journal:UNIT", a file's path, or "none"; ``None`` = the journal of its unit, where it runs on this machine."""

    def interval(self, console_poll: float) -> float:
        """Seconds between two polls, given the console's interval."""
        if self.poll is not None:
            return self.poll
        return max(EXTERNAL_POLL_S, console_poll) if self.boundary is Boundary.EXTERNAL else console_poll


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One ``[[host]]``. ``gpus`` is "local" (NVML), "none" (nothing of it is read), "ssh", or the URL of an exporter's metrics page."""

    name: str
    gpus: str = "local"
    poll: float | None = None
    timeout: float = 2.0
    ssh: str | None = None
    """Where ssh finds it ("user@box"); ``None`` = under its name."""
    protected: bool = False
    """What runs on it is protected too."""


class JobSettings(NamedTuple):
    """``[jobs]``."""

    per_host: int = 2
    """So many downloads at one time on one machine, and as many loads and starts; the others wait their turn."""
    keep: float = 30 * 86_400.0
    """Seconds that a record stays after its job has ended."""


class ChatSettings(NamedTuple):
    """``[chat]``. Seconds."""

    save: bool = False
    first_token: float = 600.0
    silence: float = 120.0


class AlertSettings(NamedTuple):
    """``[alerts]``."""

    enabled: bool = True
    builtin: Mapping[str, bool] = NO_SWITCHES
    """Built-in rules by id; false = off."""
    keep: float = 30 * 86_400.0
    """Seconds that a cleared alert is remembered."""


class EventSettings(NamedTuple):
    """``[events]``."""

    keep: float = 30 * 86_400.0
    """Seconds."""
    most: int = 64 * 2**20
    """Bytes."""


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """``[console]``."""

    poll: float = 2.0
    paint: float = 0.5
    theme: str | None = None
    """``None``: the one that was chosen in the console, else the program's own."""
    ascii: bool | None = None
    """``None``: where the locale can't carry UTF-8."""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class FleetConfig:
    """The whole of a fleet.toml, or of what ``--url`` and discovery found."""

    endpoints: tuple[EndpointSpec, ...] = ()
    hosts: tuple[HostSpec, ...] = ()
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    limits: Limits = field(default_factory=Limits)
    deployments: tuple[DeploymentSpec, ...] = ()
    jobs: JobSettings = field(default_factory=JobSettings)
    policy: Policy = field(default_factory=Policy)
    chat: ChatSettings = field(default_factory=ChatSettings)
    prices: tuple[PriceSpec, ...] = ()
    alerts: AlertSettings = field(default_factory=AlertSettings, hash=False)
    alert_rules: tuple[AlertSpec, ...] = ()
    """Those of the file; `quarterdeck.config.alerting.rules` puts them together with the built-in ones."""
    sinks: tuple[SinkSpec, ...] = ()
    events: EventSettings = field(default_factory=EventSettings)
    keys: tuple[Wish, ...] = ()
    """Other keys for commands of the console, as they are written; of several for one command the last counts."""
    source: Path | None = None
    """The file it came from, if any."""
    theme_once: str | None = None
    """The theme of the console for this run, whatever is chosen otherwise."""

    def with_more(
        self,
        endpoints: tuple[EndpointSpec, ...],
        hosts: tuple[HostSpec, ...] = (),
        deployments: tuple[DeploymentSpec, ...] = (),
    ) -> FleetConfig:
        """This fleet and more: endpoints and hosts that it has stay as they are; of deployments the new ones count."""
        known, machines = {spec.name for spec in self.endpoints}, {spec.name for spec in self.hosts}
        added = {spec.name for spec in deployments}
        return replace(
            self,
            endpoints=self.endpoints + tuple(spec for spec in endpoints if spec.name not in known),
            hosts=self.hosts + tuple(spec for spec in hosts if spec.name not in machines),
            deployments=tuple(spec for spec in self.deployments if spec.name not in added) + deployments,
        )
