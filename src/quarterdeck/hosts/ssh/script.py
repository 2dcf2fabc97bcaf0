"""The little shell program that answers on the other machine, and how its answers are taken apart.

It runs in whatever /bin/sh is there and reads requests, a line each, from its standard input: when the connection goes, so does
it. Nothing is written to the machine's disk. Every line of an answer carries a mark and the number of its request, because the
GPUs are asked in the background: a driver that hangs must not keep the processor's numbers back.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from quarterdeck.format import printable

LONGEST_LINE = 4096
MOST_LINES = 4096
"""Of one answer; a machine has a few hundred processes on its GPUs at most."""
MOST_BYTES = 2**20
"""Of one answer, and of what came and was no line yet, or no answer."""
_MOST_ANSWERS = 16
_LONGEST_GREETING = 400

_SCRIPT = r"""
LC_ALL=C; export LC_ALL
PATH="$PATH:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/usr/lib/wsl/lib:/usr/local/nvidia/bin"; export PATH
qd_t=
if timeout -k 1 2 true </dev/null >/dev/null 2>&1; then qd_t='timeout -k 1 10'; fi
qd_mark() { while IFS= read -r qd_l; do printf '%s %s\n' "$1" "$qd_l"; done; printf '%s\n' "$1"; }
qd_csv() { qd_q=$1; qd_f=$2; $qd_t nvidia-smi "--query-$qd_q=$qd_f" --format=csv,noheader,nounits; }
qd_s() {
  {
    grep '^cpu ' /proc/stat; echo "@ stat $?"
    grep -E '^(MemTotal|MemAvailable|MemFree|Buffers|Cached):' /proc/meminfo; echo "@ memory $?"
    df -kP /; echo "@ disk $?"
  } </dev/null 2>/dev/null | qd_mark "MARK $1"
}
qd_g() {
  {
    qd_csv gpu "$2"; qd_e=$?; echo "@ gpus $qd_e"
    if [ "$qd_e" -eq 0 ]; then
      qd_a=$(qd_csv compute-apps pid,gpu_uuid,used_memory,process_name); qd_e=$?
      printf '%s\n' "$qd_a"; echo "@ apps $qd_e"
      if [ "$4" = split ]; then $qd_t nvidia-smi; echo "@ instances $?"; fi
      if [ "$3" = all ]; then
        qd_csv remapped-rows gpu_uuid,remapped_rows.correctable,remapped_rows.uncorrectable,remapped_rows.pending,remapped_rows.failure
        echo "@ rows $?"
        $qd_t nvidia-smi --version; echo "@ version $?"
        $qd_t nvidia-smi -q -d TEMPERATURE; echo "@ temperatures $?"
        $qd_t nvidia-smi -L; echo "@ devices $?"
      fi
    fi
  } </dev/null 2>&1 | cut -c1-1000 | qd_mark "MARK $1"
}
qd_p() {
  {
    qd_p=$2; qd_i=0
    while [ "$qd_i" -lt 8 ]; do
      qd_r=$(ps -ww -o pid=,ppid=,user=,etimes=,args= -p "$qd_p") || break
      printf '%s\n' "$qd_r"
      qd_p=$(printf '%s\n' "$qd_r" | while read -r qd_x qd_y qd_z; do echo "$qd_y"; done | grep -v '^0$' | sort -u | tr '\n' ' ')
      case $qd_p in *[0-9]*) ;; *) break;; esac
      qd_i=$((qd_i + 1))
    done; echo "@ processes 0"
  } </dev/null 2>/dev/null | cut -c1-1000 | qd_mark "MARK $1"
}
printf '\n%s ready %s\n' MARK "$(uname -s)"
"""


def script(mark: str) -> bytes:
    """The program. ``mark`` is a word that nothing else on that machine prints."""
    return _SCRIPT.replace("MARK", mark).encode()


def ask_system(number: int) -> bytes:
    """Asks for processor, memory and disk, which come at once."""
    return f"qd_s {number}\n".encode()


def ask_gpus(number: int, fields: Sequence[str], *, everything: bool, split: bool = False) -> bytes:
    """Asks for the GPUs and who computes on them, in the background; ``everything``: also what seldom changes; ``split``: also
    for the memory of MIG instances.
    """
    wanted = f"{'all' if everything else 'some'} {'split' if split else 'whole'}"
    command = f"qd_g {number} {shlex.quote(','.join(fields))} {wanted}"
    return _in_background("qd_gpus", command)


def ask_processes(number: int, pids: Iterable[int]) -> bytes:
    """Asks for these processes and those above them, in the background."""
    return _in_background("qd_processes", f"qd_p {number} '{' '.join(map(str, pids))}'")


def _in_background(job: str, command: str) -> bytes:
    """Runs it after the job of this kind before, which has answered already: the shell only has to forget it.

    Left to process 1 it would stay a zombie for ever in a container whose process 1 takes no notice.
    """
    return f'[ -z "${job}" ] || wait "${job}"; {command} & {job}=$!\n'.encode()


@dataclass(frozen=True, slots=True)
class Section:
    """What one command printed (both streams for the GPUs), and its exit status."""

    status: int
    lines: tuple[str, ...] = ()


@dataclass(slots=True)
class Answer:
    """The answer to one request: section name → section."""

    number: int
    sections: dict[str, Section] = field(default_factory=dict)
    _lines: list[str] = field(default_factory=list)
    _count: int = 0
    _bytes: int = 0

    def lines(self, name: str) -> tuple[str, ...]:
        """What a command printed; () where it failed or didn't run."""
        section = self.sections.get(name)
        return section.lines if section is not None and section.status == 0 else ()

    def add(self, line: str) -> None:
        """Take in one line: of a section, or the "@ name status" that ends it."""
        self._count += 1
        self._bytes += len(line)
        if self._count > MOST_LINES or self._bytes > MOST_BYTES:
            return
        parts = line.split(" ")
        if len(parts) == 3 and parts[0] == "@" and parts[1].isalpha() and parts[2].isdecimal():
            self.sections[parts[1]] = Section(int(parts[2][:4]), tuple(self._lines))
            self._lines = []
        else:
            self._lines.append(line)


class Answers:
    """Takes what comes from the other side apart, as it comes."""

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode() + b" "
        self._rest = b""
        self._open: dict[int, Answer] = {}
        self.system: str | None = None
        """What `uname` says there, as soon as the program runs."""
        self.greeting = ""
        """The last thing that was said and wasn't the program's: why there is no shell, where there is none."""
        self._noise = 0

    @property
    def foreign(self) -> bool:
        """Whether so much came that the other side can't be our program."""
        return self._noise + len(self._rest) > MOST_BYTES

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that are complete with ``data``; none any more once it is ``foreign``."""
        if self.foreign:
            return []
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        return [answer for line in lines if (answer := self._line(line)) is not None]

    def _line(self, line: bytes) -> Answer | None:
        if not line.startswith(self._mark):
            self._noise += len(line) + 1
            self.greeting = printable(line[:_LONGEST_GREETING].decode("utf-8", "replace"), 100) or self.greeting
            return None
        text = line[len(self._mark) : LONGEST_LINE].decode("utf-8", "replace")
        head, space, rest = text.partition(" ")
        if head == "ready":
            self.system = rest.strip()[:40]
            return None
        if not (head.isascii() and head.isdecimal() and len(head) < 12):
            return None
        number = int(head)
        if not space:
            return self._open.pop(number, Answer(number))
        if number in self._open or len(self._open) < _MOST_ANSWERS:
            self._open.setdefault(number, Answer(number)).add(rest)
        return None
