"""Holds answers against their cases: in a process of its own, which is ended where a regex or an expression takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from quarterdeck.model.cases.assertions import PYTHON, SLOW, Output, held, told
from quarterdeck.model.cases.case import Assertion, Case, Json
from quarterdeck.model.cases.verdict import Finding, Judged, conclude

DEADLINE_S = 5.0
"""Of all assertions of one answer; python expressions have it each."""
_START_S = 60.0
"""For a busy machine; it is no part of the deadline."""
_MOST_LINE = 64 * 2**20
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "PYTHONPATH", "VIRTUAL_ENV")
"""Of the environment: no keys in it."""


class Judge:
    """Judges one answer at a time a process; begun when first needed, and again after it was ended."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        """Starts nothing."""
        self._deadline_s = deadline_s
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()

    async def judge(self, case: Case, output: Output) -> Judged:
        """All assertions of a case. Never raises."""
        there = [each for each in case.assertions if each.kind in SLOW]
        found = iter(await self._held_there(there, output) if there else [])
        findings = []
        for assertion in case.assertions:
            if assertion.kind in SLOW:
                findings.append(next(found))
            elif assertion.kind == PYTHON:
                findings.append(await self._expression(assertion, output, case.variables))
            else:
                findings.append(held(assertion, output))
        return conclude(findings, case.threshold)

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process)

    # ---- regexes and schemas

    async def _held_there(self, assertions: Sequence[Assertion], output: Output) -> list[Finding]:
        line = json.dumps({"assertions": [asdict(each) for each in assertions], "output": asdict(output)}).encode()
        async with self._lock:
            try:
                process = await self._ready()
                async with asyncio.timeout(self._deadline_s):
                    return await _asked(process, line, len(assertions))
            except TimeoutError:
                reason = f"it took longer than {self._deadline_s:g} s"
            except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
                reason = f"the judging process ended ({type(error).__name__})"
            except asyncio.CancelledError:
                await self.close()
                raise
            await self.close()
        return [told(each, None, reason) for each in assertions]

    async def _ready(self) -> asyncio.subprocess.Process:
        """The process, begun where there is none."""
        if self._process is None or self._process.returncode is not None:
            self._process = await _started("-P", "-m", "quarterdeck.engine.comparing.holding_process")
            async with asyncio.timeout(_START_S):
                await _line(self._process)
        return self._process

    # ---- python

    async def _expression(self, assertion: Assertion, output: Output, variables: Mapping[str, Json]) -> Finding:
        process = await _started("-I", "-c", _RUNNER)
        wish = {"code": str(assertion.value), "output": output.text, "context": {"vars": dict(variables)}}
        try:
            async with asyncio.timeout(self._deadline_s):
                said, _ = await process.communicate(json.dumps(wish).encode())
            return _concluded(assertion, json.loads(said))
        except TimeoutError:
            return told(assertion, None, f"the expression took longer than {self._deadline_s:g} s")
        except (ValueError, OSError, RecursionError):
            return told(assertion, None, "the expression ended without a result")
        finally:
            await _end(process)


async def _asked(process: asyncio.subprocess.Process, line: bytes, count: int) -> list[Finding]:
    assert process.stdin is not None
    process.stdin.write(line + b"\n")
    await process.stdin.drain()
    findings = [Finding(**each) for each in json.loads(await _line(process))]
    if len(findings) != count:
        raise ValueError("another count")
    return findings


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readuntil(b"\n")


def _concluded(assertion: Assertion, said: Any) -> Finding:
    """promptfoo's rules: a boolean, a number (above 0, or at least the threshold), or {pass, score, reason}."""
    if not isinstance(said, dict):
        return told(assertion, None, "the expression ended without a result")
    if "error" in said:
        return told(assertion, False, "the expression raised an error", str(said["error"])[:400], turned=False)
    value = said.get("value")
    if isinstance(value, str) and value.lower() in ("true", "false"):
        value = value.lower() == "true"
    if isinstance(value, bool):
        return told(assertion, value, "the expression is false")
    if isinstance(value, int | float):
        enough = value > 0 if assertion.threshold is None else value >= assertion.threshold
        return told(assertion, enough, f"the expression scores {value:g}", score=float(value))
    if isinstance(value, dict) and isinstance(passed := value.get("pass", value.get("pass_")), bool):
        score = value.get("score")
        number = float(score) if isinstance(score, int | float) and not isinstance(score, bool) else float(passed)
        if assertion.threshold is not None and number < assertion.threshold:
            passed = False
        return told(assertion, passed, "the expression says no", str(value.get("reason", ""))[:400], score=number)
    return told(assertion, None, "the expression gives neither true, false, a number nor {pass, score, reason}")


_RUNNER = r"""
import json, os, signal, sys, textwrap
signal.alarm(60)
out = os.dup(1)
os.dup2(2, 1)
wish = json.load(sys.stdin)
try:
    code, made = wish["code"], {"json": json}
    body = textwrap.indent(code, "    ") if "\n" in code else "    return " + code.strip()
    exec("def main(output, context):\n" + body, made)
    said = {"value": made["main"](wish["output"], wish["context"])}
    said = json.dumps(said)
except BaseException as error:
    said = json.dumps({"error": type(error).__name__ + ": " + str(error)})
os.write(out, said.encode())
"""


async def _started(*arguments: str) -> asyncio.subprocess.Process:
    """A Python without our environment, in a group of its own."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT_VARIABLES}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=kept,
        start_new_session=True,
        limit=_MOST_LINE,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """It and what it began."""
    if process.returncode is None:  # else its number may be somebody else's by now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2.0):
            await process.wait()
