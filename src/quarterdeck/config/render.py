"""The configuration in force as text (``quarterdeck config show``): TOML that ``load`` takes back.

Keys appear as what they are in the configuration, references, so nothing in here is secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quarterdeck.config.alerting import ALERT, ALERTS
from quarterdeck.config.chatting import CHAT, POLICY, PRICE
from quarterdeck.config.deployments import DEPLOYMENT, JOBS, has_effect
from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.keys import CONSOLE, ENDPOINT, HOST, LIMITS
from quarterdeck.config.origins import dotted
from quarterdeck.config.problem import KeyPath
from quarterdeck.config.sinks import EVENTS, SINK
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.config.table import Table, attribute

_Row = tuple[KeyPath, str]


def render_config(config: FleetConfig, origins: Mapping[str, str] | None = None) -> str:
    """Every value in force, one a line; with ``origins`` (``Loaded.origins``) each says where it comes from."""
    lines: list[str] = []
    settled = (
        (CONSOLE, config.console),
        (LIMITS, config.limits),
        (JOBS, config.jobs),
        (POLICY, config.policy),
        (CHAT, config.chat),
        (ALERTS, config.alerts),
        (EVENTS, config.events),
    )
    for table, settings in settled:
        lines += ["", f"[{table.name}]", *_block(table, settings, (table.name,), origins)]
    entries: tuple[tuple[Table, tuple[HostSpec | EndpointSpec | DeploymentSpec, ...]], ...] = (
        (HOST, config.hosts),
        (ENDPOINT, config.endpoints),
        (DEPLOYMENT, config.deployments),
    )
    for table, specs in entries:
        for spec in specs:
            lines += ["", f"[[{table.name}]]", *_block(table, spec, (table.name, spec.name), origins)]
    for index, price in enumerate(config.prices):
        lines += ["", f"[[{PRICE.name}]]", *_block(PRICE, price, (PRICE.name, str(index)), origins)]
    for index, rule in enumerate(config.alert_rules):
        lines += ["", f"[[{ALERT.name}]]", *_block(ALERT, rule, (ALERT.name, str(index)), origins)]
    for index, sink in enumerate(config.sinks):
        lines += ["", f"[[{SINK.name}]]", *_block(SINK, sink, (SINK.name, str(index)), origins)]
    if config.keys:
        from quarterdeck.config.keymap import toml

        lines += ["", *toml(config.keys)]
    return "\n".join(lines[1:]) + "\n"


def _block(table: Table, settings: object, path: KeyPath, origins: Mapping[str, str] | None) -> list[str]:
    rows = list(_rows(table, settings))
    texts = [f"{dotted(inside)} = {value}" for inside, value in rows]
    if origins is None:
        return texts
    width = min(60, max(len(text) for text in texts))
    sources = (origins.get(dotted((*path, *inside)), "default") for inside, _ in rows)
    return [f"{text:<{width}}  # {source}" for text, source in zip(texts, sources, strict=True)]


def _rows(table: Table, settings: object) -> Iterator[_Row]:
    """Key and TOML of each value that is set; tables inside only where they differ from what they are by default."""
    defaults = table.defaults()
    for key in table.keys:
        value = getattr(settings, attribute(key.name))
        unset = value is None or value in ({}, ()) or _of_another_driver(settings, key.name)
        if isinstance(key.kind, Table):
            if not unset and value != defaults.get(key.name):
                yield from (((key.name, *inside), text) for inside, text in _rows(key.kind, value))
        elif not unset:
            yield (key.name,), key.kind.toml(value)


def _of_another_driver(settings: object, name: str) -> bool:
    return isinstance(settings, DeploymentSpec) and not has_effect(settings.driver, name)
