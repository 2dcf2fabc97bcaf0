"""A comparison into a file, by the ending of its name; whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases.result import Comparison

ENDINGS = (".md", ".json", ".xml", ".html")


def check_names(names: Iterable[str]) -> None:
    """Before anything is asked. Raises UsageError for what couldn't be written."""
    for name in names:
        path = Path(name).expanduser()
        if path.suffix.lower() not in ENDINGS:
            raise UsageError(f"--report {printable(name)}: the name ends in none of {', '.join(ENDINGS)}")
        if path.is_dir() or not path.parent.is_dir():
            raise UsageError(f"--report {printable(name)}: there is no such folder, or it is one")


def rendered(run: Comparison, ending: str, *, texts: bool) -> str:
    """The text of a report."""
    if ending == ".json":
        from quarterdeck.report.compare.document import document

        return json.dumps(document(run, texts=texts), ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    if ending == ".xml":
        from quarterdeck.report.compare.junit import junit

        return junit(run, texts=texts)
    if ending == ".html":
        from quarterdeck.report.compare.html import html

        return html(run, texts=texts)
    from quarterdeck.report.compare.markdown import markdown

    return markdown(run, texts=texts)


def write(run: Comparison, path: Path, *, texts: bool) -> None:
    """Readable by its owner only where it holds answers. Raises QuarterdeckError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    data = rendered(run, path.suffix.lower(), texts=texts).encode("utf-8", "replace")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if texts else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise QuarterdeckError(f"{path} can't be written: {error.strerror or type(error).__name__}") from None
