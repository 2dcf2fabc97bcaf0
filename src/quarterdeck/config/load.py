"""Finds fleet.toml, reads it, and says what is wrong with it: never with an exception, and never without what can be used."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from quarterdeck.config.decode import Decoded, Document, decode
from quarterdeck.config.fleet import ConsoleSettings, FleetConfig
from quarterdeck.config.problem import Finding, Problem
from quarterdeck.config.tables import KEYS
from quarterdeck.format import printable

FILE_NAME = "fleet.toml"
KEYS_FILE = "keys.toml"
VARIABLE = "QUARTERDECK_FLEET"
LARGEST_FILE = 1024 * 1024
_LONGEST_MESSAGE = 200
_ROOT = 0


class Loaded(NamedTuple):
    """What a fleet file gave."""

    config: FleetConfig = FleetConfig()
    """All that can be used; the defaults where there is no file."""
    problems: tuple[Problem, ...] = ()
    """In the order of their lines. ``ConfigError(tuple(map(str, problems)))`` makes an exit of them."""
    path: Path | None = None
    """The file that was read or should have been; ``None`` where none was named and none found."""
    origins: Mapping[str, str] = MappingProxyType({})
    """Key path -> "fleet.toml:12" or "default"; empty unless asked for."""


class _Candidate(NamedTuple):
    """A place to look. ``named``: someone asked for this very file, so it has to be there."""

    path: Path
    named: bool
    note: str = ""


class _UnreadableError(Exception):
    """The file gives no document."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def load(
    file: str | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    origins: bool = False,
) -> Loaded:
    """The fleet of ``file``, else of the first of ``places`` that exists. No key or file it refers to is opened.

    ``environ``: default ``os.environ``. Never raises for what a file or a path may hold.
    """
    environ = os.environ if environ is None else environ
    for candidate in _candidates(file, environ):
        try:
            source, foreign = _read(candidate)
        except FileNotFoundError:
            continue
        except _UnreadableError as error:
            return _unreadable(candidate.path, error)
        return loads(source, candidate.path, origins=origins, foreign=foreign)
    return Loaded()


def places(file: str | Path | None = None, *, environ: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Where ``load`` looks, in its order: to say what was looked for."""
    environ = os.environ if environ is None else environ
    return tuple(candidate.path for candidate in _candidates(file, environ))


def _candidates(file: str | Path | None, environ: Mapping[str, str]) -> Iterator[_Candidate]:
    if file is not None:
        yield _Candidate(_at_home(file), named=True)
        return
    if environ.get(VARIABLE):
        yield _Candidate(_at_home(environ[VARIABLE]), named=True, note=f" (named by ${VARIABLE})")
        return
    yield _Candidate(Path(FILE_NAME), named=False)
    import platformdirs

    yield _Candidate(platformdirs.user_config_path("quarterdeck") / FILE_NAME, named=False)


def _at_home(file: str | Path) -> Path:
    return Path(os.path.expanduser(file))  # noqa: PTH111  Path.expanduser raises where there is no such user


def _read(candidate: _Candidate) -> tuple[str, bool]:
    """The text, and whether another user's. Raises FileNotFoundError only where the file need not be there."""
    try:
        if _may_block(candidate):
            raise _UnreadableError(f"is not a regular file{candidate.note}")
        with candidate.path.open("rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
            owner = os.fstat(stream.fileno()).st_uid
    except (FileNotFoundError, NotADirectoryError):
        if not candidate.named:
            raise FileNotFoundError from None
        raise _UnreadableError(f"no such file{candidate.note}") from None
    except IsADirectoryError:
        raise _UnreadableError(f"is a folder, not a file{candidate.note}") from None
    except (OSError, ValueError) as error:
        words = (error.strerror if isinstance(error, OSError) else None) or "not a usable file name"
        raise _UnreadableError(f"can't be read: {words.lower()}{candidate.note}") from None
    if len(data) > LARGEST_FILE:
        raise _UnreadableError(f"is larger than {LARGEST_FILE // 1024**2} MiB; a fleet file never is")
    return _decoded(data), not candidate.named and owner not in (_ROOT, os.geteuid())


def _may_block(candidate: _Candidate) -> bool:
    """Whether reading could wait for ever: a FIFO, a device. What a shell hands over on purpose (`<(…)`) may."""
    handed = candidate.named and str(candidate.path).startswith(("/dev/fd/", "/dev/stdin", "/proc/self/fd/"))
    mode = candidate.path.stat().st_mode
    return not (handed or stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _UnreadableError(f"not UTF-8 text (byte 0x{data[error.start]:02x}); save it as UTF-8", line) from None


def _parsed(source: str) -> Document:
    import tomllib

    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(str(error)) from None
    except RecursionError:
        raise _UnreadableError("not usable TOML: nested too deeply") from None
    except ValueError:  # an integer of more digits than Python converts
        raise _UnreadableError("not usable TOML: a number is too long") from None


def _not_toml(message: str) -> _UnreadableError:
    """tomllib ends its messages with "(at line 3, column 5)" or "(at end of document)"."""
    import re

    words = printable(message, _LONGEST_MESSAGE)
    place = re.search(r" \(at line (\d+), column (\d+)\)$", words)
    if place is None:
        return _UnreadableError(f"not valid TOML: {words}")
    return _UnreadableError(f"not valid TOML: {words[: place.start()]}", int(place[1]), int(place[2]))


def _unreadable(path: Path, error: _UnreadableError) -> Loaded:
    """Nothing is known, so nothing may be done either: read-only."""
    config = FleetConfig(console=ConsoleSettings(read_only=True), source=path)
    problem = Problem(_shown(path), error.message, line=error.line, column=error.column)
    return Loaded(config, (problem,), path)


def loads(source: str, path: Path, *, origins: bool = False, foreign: bool = False) -> Loaded:
    """The fleet of a file's text. ``path`` is what messages call it and where relative paths start; it isn't opened.

    ``foreign``: nobody named the file and another user owns it, so its endpoints get no keys.
    """
    try:
        document = _parsed(source)
    except _UnreadableError as error:
        return _unreadable(path, error)
    decoded = decode(document, path.absolute().parent)
    if foreign:
        decoded = _without_keys(decoded, document, path)
    config = replace(decoded.config, source=path)
    if document.get(KEYS, {}) != {}:
        return _with_keymap(config, decoded, document, source, origins=origins, foreign=foreign)
    return _told(config, decoded, document, source, origins=origins)


def _with_keymap(
    config: FleetConfig, decoded: Decoded, document: Document, source: str, *, origins: bool, foreign: bool
) -> Loaded:
    """With the keys that the file wants for commands; not where somebody else does."""
    from quarterdeck.config.keymap import written

    path = config.source or Path(FILE_NAME)
    file = _shown(path)
    if foreign:
        text = f"this file belongs to another user; to let it change keys, name it: --fleet {file}"
        decoded = decoded._replace(findings=(*decoded.findings, Finding((KEYS,), text)))
        return _told(config, decoded, document, source, origins=origins)
    read = written(document[KEYS], file, source)
    loaded = _told(replace(config, keys=read.wishes), decoded, document, source, origins=origins)
    problems = sorted((*loaded.problems, *read.problems), key=lambda problem: problem.line or 0)
    return loaded._replace(problems=tuple(problems))


def _told(config: FleetConfig, decoded: Decoded, document: Document, source: str, *, origins: bool) -> Loaded:
    """With what is wrong, and where everything comes from."""
    path = config.source or Path(FILE_NAME)
    if not (origins or decoded.findings):
        return Loaded(config, path=path)
    from quarterdeck.config.locate import line_map
    from quarterdeck.config.origins import origins_of, problems_of

    lines = line_map(source)
    problems = problems_of(decoded.findings, document, _shown(path), lines)
    known = origins_of(config, document, decoded.findings, _shown(path), lines) if origins else {}
    return Loaded(config, problems, path, known)


def keys_file(fleet: FleetConfig, folder: Path | None = None) -> Path | None:
    """The keys.toml beside the fleet file, else that of the user's config ``folder``; ``None`` where there is none."""
    if folder is None:
        import platformdirs

        folder = platformdirs.user_config_path("quarterdeck")
    places = ([fleet.source.parent] if fleet.source is not None else []) + [folder]
    return next((place / KEYS_FILE for place in places if os.path.lexists(place / KEYS_FILE)), None)


def beside(path: Path) -> tuple[Document, str, str] | Problem | None:
    """Another file of the user's: its document, its text, and its name for messages; or why it can't be used.

    ``None`` where there is none.
    """
    name = _shown(path)
    try:
        source, foreign = _read(_Candidate(path, named=False))
        document = _parsed(source)
    except FileNotFoundError:
        return None
    except _UnreadableError as error:
        return Problem(name, error.message, line=error.line, column=error.column)
    if foreign:
        return Problem(name, "this file belongs to another user; it is left out")
    return document, source, name


def _without_keys(decoded: Decoded, document: Document, path: Path) -> Decoded:
    """Endpoints with a key, and deployments, left out: the file was only found here, and another user wrote it.

    It could send this user's keys anywhere, or run a command as this user, by lying in a shared folder.
    """
    config, named = decoded.config, f"name it: --fleet {_shown(path)}"
    trusted = tuple(spec for spec in config.endpoints if spec.auth is None)
    keys = [spec.name for spec in config.endpoints if spec.auth is not None]
    refused = [
        *_refused(
            "endpoint", "auth", keys, document, f"this file belongs to another user; to let it use your keys, {named}"
        ),
        *_refused(
            "deployment",
            "name",
            [spec.name for spec in config.deployments],
            document,
            f"this file belongs to another user; to let it start servers as you, {named}",
        ),
    ]
    return Decoded(replace(config, endpoints=trusted, deployments=()), (*decoded.findings, *refused))


def _refused(table: str, key: str, names: Sequence[str], document: Document, message: str) -> Iterator[Finding]:
    written = document.get(table)
    entries = written if isinstance(written, list) else []
    known = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    return (Finding((table, known.index(name), key), message) for name in names)


def _shown(path: Path) -> str:
    return printable(str(path), _LONGEST_MESSAGE)
