"""Why ssh could not connect, in its own words: which of the lines it printed says it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quarterdeck.format import printable

_LONGEST = 160
_NOISE = re.compile(
    r"^(?:\*\*|@+$|@\s|debug\d|Warning: Permanently added|Pseudo-terminal|ControlSocket|Shared connection|"
    r"Authenticated to|Transferred:|Bytes per second|.*post-quantum)",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"^(?:Connection closed by|Connection to \S+ closed|client_loop|Killed by signal|Exit request|Terminated)"
)
_TELLING = (
    re.compile(r"host key for .* has changed", re.IGNORECASE),
    re.compile(r"host key is known for", re.IGNORECASE),
    re.compile(r"Host key verification failed", re.IGNORECASE),
    re.compile(r"Permission denied|Too many authentication failures|no matching .* found|No supported authentication"),
    re.compile(r"Could not resolve|Name or service not known|nodename nor servname"),
    re.compile(r"Connection refused|timed out|No route to host|Network is unreachable|Connection reset|not responding"),
    re.compile(r"Bad owner or permissions|Bad configuration option|terminating, \d+ bad|administratively prohibited"),
)
_REFUSAL = re.compile(
    r"Permission denied|Too many authentication failures|host key|No supported authentication", re.IGNORECASE
)
_CHANNEL_FAILED = re.compile(r"channel \d+: open failed: ([a-z ]+): (.*)")


def ssh_words(said: Sequence[str], status: int | None) -> str:
    """The reason: the most telling line of ``said`` (what ssh printed), else its last, else its exit status."""
    lines = [clean for line in said if (clean := printable(line, _LONGEST)) and not _NOISE.search(clean)]
    for pattern in _TELLING:
        found = next((line for line in reversed(lines) if pattern.search(line)), None)
        if found is not None:
            return _tidy(found)
    plain = [line for line in lines if not _VAGUE.search(line)] or lines
    if plain:
        return _tidy(plain[-1])
    if status is not None and status < 0:
        return f"ssh was ended by signal {-status}"
    return "the connection is closed" if status in (None, 0) else f"ssh ended with exit status {status}"


def _tidy(line: str) -> str:
    """Without the full stop, and the "ssh:" that we say ourselves."""
    return line.removeprefix("ssh: ").strip().rstrip(".").strip() or "the connection is closed"


def refuses_us(words: str) -> bool:
    """Whether trying again soon is of no use, and may get us locked out: a person has to do something."""
    return bool(_REFUSAL.search(words))


def hint(words: str, destination: str) -> str:
    """What a person can do about it; "" where ssh's words say it all."""
    if "has changed" in words:
        return "if that is right, remove the old key with ssh-keygen -R"
    if "ost key" in words:
        return f"connect once by hand: ssh {destination}"
    return ""


def channel_words(line: str) -> str | None:
    """Why the other side could not connect a tunnel to its target, of a line that ssh printed; ``None`` for another line."""
    match = _CHANNEL_FAILED.search(line)
    return printable(match[2] or match[1], _LONGEST).strip().rstrip(".") if match is not None else None
