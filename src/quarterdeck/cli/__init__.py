"""The command line: argparse, one module a command, each importing only what it needs.

stdout is data, stderr everything else; a closed pipe is not an error. Exit codes: 0 done, 2 wrong usage or fleet.toml,
130 interrupted; `check` has its own (0 ok, 1 warning, 2 critical, 3 unknown);
3 too where stdout can't be written.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would be a third of what --version costs
    from typing import TextIO

INTERRUPTED = 130
_UNTIL_STARTED = ("console", "check")
CANT_WRITE = 3
"""A full disk under stdout, say. Of `check` it means unknown, as it must."""


def entry() -> None:
    """The program: ``main``, then out at once.

    Everything that must be closed is closed by then; taking the interpreter apart would cost `check` a sixth of its time, and
    a driver call that hangs in a thread could keep it from ending at all.
    """
    import contextlib
    import os

    _write_anything()
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _write_anything() -> None:
    """A terminal or pipe that can't show "–" gets "?" instead of a traceback, and a closed stream takes anything."""
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    from quarterdeck.errors import QuarterdeckError

    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except QuarterdeckError as error:
        sys.stderr.write(f"quarterdeck: {error.message}\n" + (f"{error.hint}\n" if error.hint else ""))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except OSError as error:
        _forget_stdout()
        sys.stderr.write(f"quarterdeck: {error.strerror or type(error).__name__}\n")
        return CANT_WRITE
    return code


def _run(argv: list[str]) -> int:
    if argv == ["--version"]:  # asked by scripts and completions: spare them argparse
        from quarterdeck import __version__

        sys.stdout.write(f"quarterdeck {__version__}\n")
        return 0
    from importlib import import_module

    from quarterdeck.cli.parser import parse

    arguments = parse(argv)
    if arguments.command in _UNTIL_STARTED:
        import gc

        gc.disable()  # imports make many objects and no garbage; the console turns it on behind its first frame
    code: int = import_module(f"quarterdeck.cli.{arguments.command}").run(arguments)
    return code


def _nowhere() -> TextIO:
    import os

    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  (for the rest of the process)


def _forget_stdout() -> None:
    """The reader has gone: let the interpreter's last flush go nowhere instead of complaining."""
    import os

    with open(os.devnull, "w") as nowhere:  # noqa: PTH123  (pathlib is not worth its import here)
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
