"""Endpoints named on the command line (``--url``), without a fleet file."""

from __future__ import annotations

from collections.abc import Iterable

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.config.kinds import LONGEST_NAME
from quarterdeck.config.problem import BadValueError
from quarterdeck.config.urls import Url, http_url
from quarterdeck.errors import ConfigError


def adhoc(urls: Iterable[str]) -> FleetConfig:
    """A fleet of these URLs, each once; "gpu-1:8000" is taken as "http://gpu-1:8000".

    Named by host and port, unique. Raises ConfigError with every URL that can't be used.
    """
    found: dict[Url, None] = {}
    problems: list[str] = []
    for url in urls:
        try:
            found[http_url(url if "://" in url else f"http://{url}")] = None
        except BadValueError as error:
            problems.append(f"--url: {error}")
    if problems:
        raise ConfigError(tuple(problems))
    return FleetConfig(endpoints=_named(found))


def _named(urls: Iterable[Url]) -> tuple[EndpointSpec, ...]:
    taken: set[str] = set()
    endpoints: list[EndpointSpec] = []
    for url in urls:
        name = unique_name(url.authority, taken)
        taken.add(name)
        endpoints.append(EndpointSpec(name, str(url), boundary=default_boundary(str(url))))
    return tuple(endpoints)


def unique_name(wanted: str, taken: set[str]) -> str:
    """``wanted``, or ``wanted-2``, ``wanted-3`` … where it is taken; never longer than a name may be."""
    name = wanted[:LONGEST_NAME]
    count = 1
    while name in taken:
        count += 1
        ending = f"-{count}"
        name = wanted[: LONGEST_NAME - len(ending)] + ending
    return name
