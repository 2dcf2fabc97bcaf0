"""What a command line tells of a process: which model server it is part of, on which port, with which model. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from quarterdeck.format import printable

REDACTED = "[key]"
LONGEST = 200
_MOST = 4096
DEFAULT_PORTS = {"vllm": 8000, "ollama": 11434, "llamacpp": 8080, "sglang": 30000}
_VLLM_TITLE = re.compile(r"[^\s:]*::(EngineCore|Worker|APIServer|DPCoordinator)(?![a-z])")
"""The part before the colons is whatever VLLM_PROCESS_NAME_PREFIX says."""
_SGLANG_WORKER = re.compile(r"sglang::\w*(?:scheduler|detokenizer|controller)")
"""Its router and its servers give themselves such titles too, and those are nobody's workers."""
_SECRET_WORDS = frozenset(
    ("key", "apikey", "token", "secret", "password", "passwd", "credential", "credentials", "auth")
)
_TELLTALE = re.compile(r"\b(?:sk-|hf_|ghp_|Bearer )[A-Za-z0-9_.~+/=-]{6,}")
_EMBEDDED = re.compile(r"(?i)((?:key|token|secret|password)[\"']?\s*[:=]\s*[\"']?)[^\s\"',}\[]+")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_BLOB = "/blobs/sha256-"
_HELPERS = ("multiprocessing.spawn", "multiprocessing.forkserver", "multiprocessing.resource_tracker")


class CommandLine(NamedTuple):
    """What is told; ``None`` and () where it isn't."""

    engine: str | None = None
    worker: bool = False
    """Part of a server that is another process: it makes no sense alone."""
    port: int | None = None
    """As told, or the engine's default for a server."""
    serves: tuple[str, ...] = ()
    """Model names, the one that clients use first."""
    blob: str | None = None
    """The file of Ollama's store that it loaded, whose names only the manifests beside it tell."""


NOTHING_TOLD = CommandLine()


def read(argv: Sequence[str]) -> CommandLine:
    """``argv`` as the process list has it; a title that the process gave itself is the whole of it."""
    args = [arg for arg in argv if arg]
    if not args:
        return NOTHING_TOLD
    for reading in (_titled, _ollama, _llama_server, _vllm, _sglang):
        found = reading(args)
        if found is not None:
            return found
    return CommandLine(worker=any(helper in arg for arg in args for helper in _HELPERS))


def shown(argv: Sequence[str]) -> str:
    """The command line for people: on one line, the program without its folder, no secrets, cut."""
    args = [arg for arg in argv if arg]
    if args and "::" not in args[0]:
        args[0] = _base(args[0])
    text = " ".join(_without_secrets(args))
    text = _EMBEDDED.sub(rf"\1{REDACTED}", _TELLTALE.sub(REDACTED, text[:_MOST]))
    return printable(_CREDENTIALS.sub(f"{REDACTED}@", text), LONGEST)


def engine_of_title(name: str) -> str | None:
    """The engine by the little that a remote reading tells: a title, or a program's name or path."""
    return read(name.split()).engine


def is_python(argv: Sequence[str]) -> bool:
    """Whether it is a Python program, which may run a model server inside."""
    return bool(argv) and _base(argv[0]).startswith("python")


def _base(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def _titled(args: list[str]) -> CommandLine | None:
    title = _VLLM_TITLE.match(args[0])
    if title is not None:
        return CommandLine("vllm", worker=title[1] != "APIServer")
    if args[0].startswith("sglang::"):
        return CommandLine("sglang", worker=_SGLANG_WORKER.match(args[0]) is not None)
    return None


def _ollama(args: list[str]) -> CommandLine | None:
    if _base(args[0]).removesuffix(".exe").lower() != "ollama":
        return None
    if "runner" in args[1:3]:
        model = _first(args, "--model", "-m")
        return CommandLine("ollama", worker=True, port=_port(args), blob=_blob(model))
    return CommandLine("ollama", port=DEFAULT_PORTS["ollama"] if args[1:2] == ["serve"] else None)


def _llama_server(args: list[str]) -> CommandLine | None:
    module = args[1:3] == ["-m", "llama_cpp.server"]
    if _base(args[0]).removesuffix(".exe") != "llama-server" and not module:
        return None
    model = _first(args[3:] if module else args, "-m", "--model")
    blob = _blob(model)
    # Ollama starts its children with both of these; people who serve a file of its store themselves hardly do.
    if "--offline" in args and not {"--no-webui", "--no-ui"}.isdisjoint(args) and (blob or "ollama" in args[0].lower()):
        return CommandLine("ollama", worker=True, port=_port(args), blob=blob)
    names = [name for name in (_first(args, "-a", "--alias"), model and _base(model)) if name]
    return CommandLine("llamacpp", port=_port(args) or DEFAULT_PORTS["llamacpp"], serves=tuple(names))


def _vllm(args: list[str]) -> CommandLine | None:
    serve = next((place for place in range(min(3, len(args) - 1)) if _base(args[place]) == "vllm"), None)
    if serve is not None and args[serve + 1] == "serve":
        rest = args[serve + 2 :]
        positional = rest[:1] if rest and not rest[0].startswith("-") else []
    elif any(arg.startswith("vllm.entrypoints.") for arg in args[1:4]):
        rest, positional = args, []
    else:
        return None
    names = [*_all(rest, "--served-model-name"), *positional, *_all(rest, "--model")]
    return CommandLine("vllm", port=_port(rest) or DEFAULT_PORTS["vllm"], serves=tuple(dict.fromkeys(names)))


def _sglang(args: list[str]) -> CommandLine | None:
    script = any(_base(arg) == "sglang" and args[place + 1] == "serve" for place, arg in enumerate(args[:3][:-1]))
    if not script and not any(arg.startswith("sglang.launch_server") for arg in args[1:4]):
        return None
    names = [*_all(args, "--served-model-name"), *_all(args, "--model-path", "--model")]
    return CommandLine("sglang", port=_port(args) or DEFAULT_PORTS["sglang"], serves=tuple(dict.fromkeys(names)))


def _blob(path: str | None) -> str | None:
    return path if path is not None and _BLOB in path.replace("\\", "/") else None


def _options(args: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each option with the values that follow it."""
    name = ""
    values: list[str] = []
    for arg in args:
        if arg.startswith("-") and not arg[1:2].isdigit():
            if name:
                yield name, values
            name, equals, value = arg.partition("=")
            values = [value] if equals else []
        else:
            values.append(arg)
    if name:
        yield name, values


def _all(args: Sequence[str], *names: str) -> list[str]:
    wanted = {name.replace("_", "-") for name in names}
    return [value for name, values in _options(args) if name.replace("_", "-") in wanted for value in values]


def _first(args: Sequence[str], *names: str) -> str | None:
    return next(iter(_all(args, *names)), None)


def _port(args: Sequence[str]) -> int | None:
    told = _first(args, "--port", "-port") or ""
    return int(told) if told.isascii() and told.isdigit() and 0 < int(told[:6]) < 65_536 else None


def _without_secrets(args: Sequence[str]) -> Iterator[str]:
    """``args`` with the values of options whose names say that they are secret replaced."""
    secret = False
    for arg in args:
        name, equals, value = arg.partition("=")
        if arg.startswith("-") and not arg[1:2].isdigit():
            secret = _is_secret(name)
            yield f"{name}={REDACTED}" if secret and equals and value else arg
        elif equals and _is_secret(name):
            yield f"{name}={REDACTED}"
        else:
            yield REDACTED if secret else arg


def _is_secret(name: str) -> bool:
    return bool(_SECRET_WORDS.intersection(re.split(r"[-_.]+", name.lower())))
