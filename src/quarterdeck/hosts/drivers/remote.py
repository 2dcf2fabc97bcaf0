"""What is run by /bin/sh on another machine to start, see and end a server. POSIX sh, Linux or macOS. Pure.

It remembers in ~/.local/state/quarterdeck: STEM.run (pid, birth, start time, mark), STEM.exit (exit code), STEM.log. Every program
answers lines "qd KEY VALUE", and "qd end" last.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import NamedTuple

_FOLDER = '"$HOME"/.local/state/quarterdeck'

_COMMON = r"""
U=$(umask); umask 077
S=STATE_FOLDER; N=STEM
# When a process began, in ticks since boot, or as ps says it; nothing for one that has ended.
born() {
  if [ -r /proc/self/stat ]; then
    [ -r "/proc/$1/stat" ] || return 0
    set -- $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null)
    case "$1" in Z|X|'') ;; *) printf '%s.%s' "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" "${20}";; esac
  else
    case "$(ps -o stat= -p "$1" 2>/dev/null)" in Z*|'') ;; *) ps -o lstart= -p "$1" | tr -s ' ' '_';; esac
  fi
}
load() {
  P=; B=; T=; M=
  [ -r "$S/$N.run" ] && read -r P B T M < "$S/$N.run"
  case "$P" in ''|*[!0-9]*|0|1) P=;; esac
  case "$M" in ''|*[!0-9a-f]*) P=;; esac
  [ -n "$P" ]
}
alive() { [ -n "$P" ] && [ -n "$B" ] && [ "$(born "$P")" = "$B" ]; }
marked() {
  if [ -r /proc/self/environ ]; then
    grep -l "QUARTERDECK_LAUNCH=$M" /proc/[0-9]*/environ 2>/dev/null | sed 's|/proc/||; s|/environ||'
    bare
  else
    ps -A -E -o pid=,command= 2>/dev/null | grep "QUARTERDECK_LAUNCH=$M" | grep -v grep | sed 's/^ *//; s/ .*//'
  fi
}
# What changes its title (vLLM's workers do) writes over its environment; in our group it is ours, while that number means ours.
bare() {
  case "$B" in "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)".*) ;; *) return 0;; esac
  alive || [ -z "$(born "$P")" ] || return 0
  ps -A -o pid= -o pgid= | while read -r pid group; do
    [ "$group" = "$P" ] && [ -r "/proc/$pid/environ" ] && ! grep -q = "/proc/$pid/environ" && echo "$pid"
  done
}
# All processes of the launch: the first, the marked, their descendants, and the group where one of these is in it.
family() {
  F=" $(marked | tr '\n' ' ') "
  alive && F="$F$P "
  ps -A -o pid= -o ppid= -o pgid= -o stat= -o rss= -o args= 2>/dev/null | awk -v found="$F" -v leader="$P" -v me="$$" '
    { pid[NR] = $1; up[NR] = $2; group[NR] = $3; dead[NR] = ($4 ~ /^Z/); line = $1 " " $5
      for (i = 6; i <= NF; i++) line = line " " $i; text[NR] = line }
    END {
      n = split(found, first, " "); for (i = 1; i <= n; i++) has[first[i]] = 1
      delete has[me]
      do { more = 0
        for (i = 1; i <= NR; i++) if (!(pid[i] in has) && (up[i] in has)) { has[pid[i]] = 1; more = 1 }
        for (i = 1; i <= NR; i++) if ((pid[i] in has) && group[i] == leader) ours = 1
        for (i = 1; i <= NR; i++) if (ours && group[i] == leader && !(pid[i] in has)) { has[pid[i]] = 1; more = 1 }
      } while (more)
      for (i = 1; i <= NR; i++) if ((pid[i] in has) && !dead[i]) print text[i]
    }'
}
tell() {
  family | sed 's/^/qd left /'
  if alive; then echo "qd alive"; fi
  alive || [ -r "$S/$N.exit" ] || sleep 0.3 2>/dev/null || sleep 1
  echo "qd pid $P"; echo "qd started $T"
  [ -r "$S/$N.exit" ] && echo "qd status $(cat "$S/$N.exit")"
  echo "qd end"
}
failed() { echo "qd failed $1"; echo "qd end"; exit 0; }
"""

_START = r"""
main() {
  mkdir -p "$S" 2>/dev/null && [ -w "$S" ] || failed "the folder $S can't be written"
  if load; then
    alive && failed "it runs already: process $P"
    family | grep -q . && { family | sed 's/^/qd left /'; failed "something is left from the start before; stop it first"; }
  fi
  cd CWD 2>/dev/null || failed "the folder it runs in is missing: "CWD
  ENVIRONMENT
  case PROGRAM in
    */*) [ -f PROGRAM ] && [ -x PROGRAM ] || failed "the program "PROGRAM" is not there, or can't be executed";;
    *) command -v PROGRAM >/dev/null 2>&1 || failed "the program "PROGRAM" is not found in PATH ($PATH)";;
  esac
  L=LOG
  mkdir -p "$(dirname "$L")" 2>/dev/null
  [ -s "$L" ] && [ -f "$L" ] && mv -f "$L" "$L.1" 2>/dev/null
  ( : >> "$L" ) 2>/dev/null || failed "its log $L can't be written"
  rm -f "$S/$N.exit" "$S/$N.run" "$S/$N.pid" || failed "the folder $S can't be written"
  OWN=; command -v setsid >/dev/null 2>&1 && OWN=setsid || set -m
  umask "$U"
  # The keeper waits for the server's end and notes it; it doesn't bear the mark, and what ends sessions doesn't end it.
  QUARTERDECK_DEPLOYMENT=NAME QUARTERDECK_KEPT=MARK nohup $OWN /bin/sh -c '
    trap : HUP INT TERM
    s=$1; o=$2; shift 2
    $o /bin/sh -c '\''QUARTERDECK_LAUNCH=$QUARTERDECK_KEPT; export QUARTERDECK_LAUNCH; unset QUARTERDECK_KEPT
      echo $$ > "$0.pid.new" && mv "$0.pid.new" "$0.pid" || exit 125; exec "$@"'\'' "$s" "$@"
    c=$?; i=0
    while [ ! -s "$s.run" ] && [ $i -lt 40 ]; do i=$((i + 1)); sleep 0.05 2>/dev/null || sleep 1; done
    grep -q "$QUARTERDECK_KEPT" "$s.run" 2>/dev/null && echo $c > "$s.exit"' keeper "$S/$N" "$OWN" WORDS < /dev/null >> "$L" 2>&1 &
  i=0
  while [ ! -s "$S/$N.pid" ] && [ $i -lt 100 ]; do i=$((i + 1)); sleep 0.05 2>/dev/null || sleep 1; done
  P=$(cat "$S/$N.pid" 2>/dev/null); rm -f "$S/$N.pid"
  case "$P" in ''|*[!0-9]*) failed "it was not started: $(tail -n 1 "$L" 2>/dev/null)";; esac
  B=$(born "$P"); T=$(date +%s); M=MARK
  echo "$P ${B:--} $T $M" > "$S/$N.run" || { kill -9 "-$P" 2>/dev/null; failed "the folder $S can't be written"; }
  echo "qd pid $P"; echo "qd end"
}
main
"""


class Launch(NamedTuple):
    """What is started."""

    stem: str
    name: str
    mark: str
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    log: str | None


def home_path(path: str | None, stem: str) -> str:
    """A path over there as a word of sh: from / or ~, else from the home folder; without one, the log that we make there."""
    if path is None:
        return f"{_FOLDER}/{stem}.log"
    if path.startswith("/"):
        return quote(path)
    return '"$HOME"/' + quote(path.removeprefix("~").lstrip("/")) if path != "~" else '"$HOME"'


def start_script(launch: Launch) -> str:
    """Starts it: "pid N", or "failed WHY" with what is "left" in the way."""
    exports = "; ".join(f"export {name}={quote(value)}" for name, value in launch.env.items()) or ":"
    values = {
        "CWD": home_path(launch.cwd, launch.stem),
        "ENVIRONMENT": exports,
        "PROGRAM": quote(launch.argv[0]),
        "LOG": home_path(launch.log, launch.stem),
        "NAME": quote(launch.name),
        "MARK": launch.mark,
        "WORDS": " ".join(map(quote, launch.argv)),
    }
    return _common(launch.stem) + _filled(_START, values)


def ask_script(stem: str) -> str:
    """Says how it is: "none", or "pid", "started", "status", "alive", and what is "left"."""
    return _common(stem) + 'if load; then tell; else echo "qd none"; echo "qd end"; fi\n'


def gone_script(stem: str, pids: Sequence[int]) -> str:
    """Says which pids surely belong to no living process ("gone.PID"), and whether the whole "machine" is seen from there.

    Of another user's process the kernel says so; /proc may hide it. A zombie has no "born".
    """
    numbers = " ".join(map(str, pids)) or "''"
    return _common(stem) + (
        'LC_ALL=C; export LC_ALL; gone() { echo "qd gone.$1"; }\n'
        f"for p in {numbers}; do\n"
        '  if W=$(kill -0 "$p" 2>&1); then [ -n "$(born "$p")" ] || gone "$p"\n'
        '  else case "$W" in *"o such process"*) gone "$p";; esac; fi\n'
        "done\n"
        'if [ ! -r /proc/self/stat ] || [ "$(cat /proc/2/comm 2>/dev/null)" = kthreadd ]; then echo "qd machine"; fi\n'
        'echo "qd end"\n'
    )


def end_script(stem: str, what: str, within: float) -> str:
    """Ends it: SIGTERM to the "leader", or "TERM" or "KILL" to all, waits up to ``within`` seconds, says how it is; or "forget"."""
    if what == "forget":
        return _common(stem) + 'rm -f "$S/$N.run" "$S/$N.exit"; echo "qd end"\n'
    if what == "leader":
        send, gone = 'alive && kill -TERM "$P" 2>/dev/null', "! alive"
        after = f"j=0; while [ $j -lt {min(5, int(within) + 1)} ] && family | grep -q .; do j=$((j + 1)); sleep 1; done"
    else:
        send = f'family | while read -r pid rest; do kill -{what} "$pid" 2>/dev/null; done'
        gone, after = "! family | grep -q .", ":"
    wait = f"i=0; while [ $i -lt {int(within * 5)} ] && ! {{ {gone}; }}; do i=$((i + 1)); sleep 0.2 2>/dev/null || {{ sleep 1; i=$((i + 4)); }}; done"
    body = f"{send}\n{wait}\nif ! alive; then {after}; fi\ntell"
    return _common(stem) + f'if load; then\n{body}\nelse echo "qd none"; echo "qd end"; fi\n'


def tail_command(path: str, lines: int, *, follow: bool) -> str:
    """What the login shell over there is given."""
    return f"exec tail -n {lines} {'-F ' if follow else ''}{path}"


def _common(stem: str) -> str:
    return _filled(_COMMON, {"STATE_FOLDER": _FOLDER, "STEM": quote(stem)})


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Each name replaced, once over the text, so that no value is looked into."""
    return re.sub(r"\b(?:" + "|".join(values) + r")\b", lambda match: values[match[0]], text)
