"""Writes a deployment into the user's fleet file: comments and order survive, and half a file never lies there."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.deployments import DEPLOYMENT, has_effect
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.config.keys import ENDPOINT
from quarterdeck.config.kinds import toml_string
from quarterdeck.config.load import load, loads
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.config.table import Table
from quarterdeck.config.write import init_text, write_new
from quarterdeck.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def save_deployment(path: Path, spec: DeploymentSpec, endpoint: EndpointSpec | None) -> None:
    """Put ``spec`` into the fleet file ``path`` (made where there is none), in place of a deployment of its name.

    ``endpoint``: the [[endpoint]] that it becomes, where that is new; one that stands there with the same URL stays as it is.
    Raises ConfigError where the file has problems or would get some, UsageError where it can't be written; then it is unchanged.
    """
    if not path.exists():
        write_new(path, _checked(init_text(), path, spec, endpoint))
        return
    before = _bytes(path)
    problems = load(path).problems
    if problems:
        raise ConfigError(tuple(map(str, problems)), hint="Nothing was saved: repair the file first.")
    text = _checked(before.decode("utf-8-sig"), path, spec, endpoint)
    mark = b"\xef\xbb\xbf" if before.startswith(b"\xef\xbb\xbf") else b""
    _replace(path, before, mark + text.encode())


def _checked(text: str, path: Path, spec: DeploymentSpec, endpoint: EndpointSpec | None) -> str:
    """The new text, which gives just what was to be saved. Raises ConfigError, UsageError."""
    new = _edited(text, spec, endpoint)
    loaded = loads(new, path)
    if loaded.problems:
        raise ConfigError(tuple(map(str, loaded.problems)), hint="Nothing was saved.")
    if not any(_written(known) == _written(spec) for known in loaded.config.deployments):
        raise UsageError(f'"{spec.name}" can\'t be saved: {path} would not give it back as it is')
    return new


def _edited(text: str, spec: DeploymentSpec, endpoint: EndpointSpec | None) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        if endpoint is not None:
            known = _find(document, "endpoint", endpoint.name)
            if known is None:
                _append(document, "endpoint", _table(ENDPOINT, _endpoint(endpoint)))
            elif known.get("url") != endpoint.url:
                raise UsageError(f'there is an endpoint "{endpoint.name}" with another URL; nothing was saved')
        _put(document, spec)
        new = tomlkit.dumps(document)
    except TOMLKitError as error:
        raise UsageError(f"the file can't be edited: {error}") from None
    names = [spec.name, endpoint.name] if endpoint is not None else [spec.name]
    return _with_line_ends(_spaced(new, names), text)


def _put(document: Any, spec: DeploymentSpec) -> None:
    values = _deployment(spec)
    known = _find(document, "deployment", spec.name)
    if known is None:
        _append(document, "deployment", _table(DEPLOYMENT, values))
        return
    for name in [name for name in known if name not in values]:
        del known[name]
    for name, value in _table(DEPLOYMENT, values).items():
        if name not in known or known[name] != value:
            known[name] = value


def _find(document: Any, table: str, name: str) -> Any:
    return next((entry for entry in document.get(table, ()) if entry.get("name") == name), None)


def _append(document: Any, name: str, table: Any) -> None:
    import tomlkit

    if name not in document:
        document.append(name, tomlkit.aot())
    entries = document[name]
    entries.append(table)


def _table(table: Table, values: Mapping[str, object]) -> Any:
    """A tomlkit table of values; each key's own TOML is read back, so that both writers agree."""
    import tomlkit

    made = tomlkit.table()
    for key in table.keys:
        if key.name in values and not isinstance(key.kind, Table):
            made.append(key.name, tomlkit.value(key.kind.toml(values[key.name])))
    made.add(tomlkit.nl())
    return made


def _deployment(spec: DeploymentSpec) -> dict[str, object]:
    return {name: value for name, value in _set_keys(DEPLOYMENT, spec).items() if has_effect(spec.driver, name)}


def _endpoint(spec: EndpointSpec) -> dict[str, object]:
    values = _set_keys(ENDPOINT, spec)
    if spec.boundary is default_boundary(spec.url):
        values.pop("boundary", None)
    if spec.auth is not None:
        raise UsageError(
            f'the key of "{spec.name}" can\'t be saved from here; write its [[endpoint]] into the file first'
        )
    return values


def _set_keys(table: Table, spec: object) -> dict[str, object]:
    """What differs from the defaults; the driver is said too, for the reader."""
    defaults = table.defaults()
    values = {key.name: getattr(spec, key.name) for key in table.keys}
    return {name: value for name, value in values.items() if name == "driver" or value != defaults.get(name)}


def _written(spec: DeploymentSpec) -> dict[str, object]:
    """A deployment without what it may inherit."""
    return {name: value for name, value in _deployment(spec).items() if name != "protected"}


def _spaced(text: str, names: list[str]) -> str:
    """With an empty line above each new table, and none at the end."""
    for name in names:
        header = re.escape(f"name = {toml_string(name)}\n")
        text = re.sub(rf"(?m)(?<=[^\n]\n)(?=\[\[(?:deployment|endpoint)\]\]\n{header})", "\n", text)
    return re.sub(r"\n\n+\Z", "\n", text)


def _with_line_ends(new: str, old: str) -> str:
    """Every line ends as the old ones do."""
    if "\r\n" not in old or old.count("\n") != old.count("\r\n"):
        return new
    return new.replace("\r\n", "\n").replace("\n", "\r\n")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from None


def _replace(path: Path, before: bytes, after: bytes) -> None:
    """The whole new file, or the old one untouched; a link keeps leading to it, and its mode and owner stay."""
    target = Path(os.path.realpath(path))
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(after)
            stream.flush()
            _like(target, stream.fileno())
            os.fsync(stream.fileno())
        if target.read_bytes() != before:
            raise UsageError(
                f"{path} was changed by another program in the meantime; nothing was saved", hint="Try again."
            )
        os.replace(temporary, target)  # noqa: PTH105
        temporary = None
    except OSError as error:
        words = error.strerror or "unknown reason"
        raise UsageError(f"{path} can't be written: {words}; nothing was saved, the file is as it was") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108


def _like(target: Path, handle: int) -> None:
    """The mode of the file that is replaced, and its owner, where we may give it."""
    known = target.stat()
    with contextlib.suppress(PermissionError):
        os.fchown(handle, known.st_uid, known.st_gid)
    os.fchmod(handle, known.st_mode & 0o7777)
