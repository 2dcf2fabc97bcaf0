"""The errors that a person gets to see.

QuarterdeckError          message, hint, exit code
├── ConfigError           fleet.toml (or an option) is wrong; carries every problem found
└── UsageError            the command line asks for something that can't be done
"""

from __future__ import annotations


class QuarterdeckError(Exception):
    """Something a person can act on: printed as one message with a hint, never as a traceback."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        """``hint`` says what to do next; it is printed on a line of its own."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(QuarterdeckError):
    """The command line asks for something that can't be done."""


class ConfigError(QuarterdeckError):
    """fleet.toml is wrong."""

    def __init__(self, problems: tuple[str, ...], *, hint: str = "") -> None:
        """``problems``: one finished line each, ``FILE:LINE: key: what was expected``."""
        super().__init__("\n".join(problems), hint=hint)
        self.problems = problems
