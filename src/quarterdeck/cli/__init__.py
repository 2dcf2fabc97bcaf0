"""The command line: argparse, one module a command, each importing only what it needs."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    raise NotImplementedError
