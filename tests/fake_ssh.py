"""An ``ssh`` in shell for tests of everything that can go wrong; what it does is what the file "mode" beside it says."""

from __future__ import annotations

from pathlib import Path

_PROGRAM = r"""#!/bin/sh
here=$(dirname "$0")
mode=$(cat "$here/mode")
echo "$*" >> "$here/calls"
printf 'tty:%s askpass:%s\n' "$(tty)" "${SSH_ASKPASS-unset}" >> "$here/environment" 2>&1
control= bare=
for word in "$@"; do case $word in ControlPath=*) control=${word#ControlPath=};; -N) bare=yes;; esac; done
case "$*" in
  *"-O forward"*)
    case $mode in
      noforward) echo "mux_client_forward: forwarding request failed: Port forwarding failed" >&2; exit 255;;
    esac
    while [ $# -gt 0 ]; do [ "$1" = -L ] && : > "${2%%:*}"; shift; done
    exit 0;;
esac
case $mode in
  shell) exec /bin/sh;;
  chatty) echo "Welcome to gpu-1!"; echo "You have mail."; printf '\033[2Jno newline'; echo; exec /bin/sh;;
  denied) echo "user@gpu-1: Permission denied (publickey)." >&2; exit 255;;
  banner)
    printf '*** \033[31mAuthorised users only\033[0m ***\r\n' >&2
    echo "kex_exchange_identification: Connection closed by remote host" >&2
    echo "Connection closed by 192.0.2.1 port 22" >&2; exit 255;;
  silent) exec sleep 1000;;
  stubborn) trap '' TERM; while :; do sleep 1000; done;;
  deaf) trap '' TERM; tr '\000' x < /dev/zero & trap '' TERM; wait;;
  flood) exec yes "this is not the answer to anything that anybody asked";;
  killed) kill -9 $$;;
  nologin)
    if [ -n "$bare" ]; then : > "$control"; exec sleep 1000; fi
    echo "This account is currently not available."; exit 1;;
  child) sleep 1000 & echo $! > "$here/child"; exec sleep 1000;;
esac
"""


def install(folder: Path, mode: str) -> Path:
    """Put it into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ssh"
    path.write_text(_PROGRAM)
    path.chmod(0o755)
    set_mode(path, mode)
    return path


def set_mode(program: Path, mode: str) -> None:
    """What it does from its next start on."""
    (program.parent / "mode").write_text(mode)


def calls(program: Path) -> list[str]:
    """The arguments of each start."""
    path = program.parent / "calls"
    return path.read_text().splitlines() if path.exists() else []
