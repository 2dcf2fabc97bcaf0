"""Case files: YAML, JSON, JSON Lines and CSV, in promptfoo's form as far as it is supported, the rest refused by name. Pure.

Files are handed in by the caller (`Fetch`), who decides what may be read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple

from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.model.cases import expectations, promptfoo, prompts
from quarterdeck.model.cases.case import Assertion, Case, Json, Suite
from quarterdeck.model.cases.parts import Row, csv_rows, json_lines, json_value, plain_json, yaml_value
from quarterdeck.model.cases.problems import Problems
from quarterdeck.model.cases.promptfoo import Test
from quarterdeck.model.cases.prompts import Template
from quarterdeck.model.cases.template import resolved
from quarterdeck.model.chat.request import Message, Role

MOST_CASES = 10_000
MOST_OF_ONE = 1_000
"""Cases that one test makes: its lists of variables times its prompts."""
MOST_ASSERTIONS = 100


class Found(NamedTuple):
    """A file."""

    name: str
    """As it is shown."""
    path: str
    """Resolved."""
    text: str


Fetch = Callable[[str, str], Found]
"""Reads the file of a name that another file (its resolved path) holds. Raises UsageError."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says besides."""

    prompts: tuple[Template, ...] = ()
    """Instead of those of the files."""
    system: str = ""
    allow_python: bool = False


def read(files: Iterable[Found], fetch: Fetch, wishes: Wishes) -> Suite:
    """All cases of these files. Raises UsageError with everything that is wrong in them."""
    problems = Problems()
    reading = _Reading(fetch, wishes, problems)
    several = list(files)
    cases: list[Case] = []
    for found in several:
        prefix = f"{PurePath(found.name).stem}:" if len(several) > 1 else ""
        with problems.at(found.name):
            cases += reading.cases(found, prefix)
    _check_ids(cases, problems)
    if not cases and not problems.found:
        problems.add(", ".join(found.name for found in several) or "no file", "there are no cases")
    problems.check()
    return Suite(tuple(cases), tuple(problems.notes), tuple(reading.paths))


def _check_ids(cases: list[Case], problems: Problems) -> None:
    seen: dict[str, str] = {}
    for case in cases:
        if case.id in seen:
            problems.add(case.where, f"the id {case.id!r} is taken by {seen[case.id]}")
        seen.setdefault(case.id, case.where)


class _Reading:
    """One call of `read`."""

    def __init__(self, fetch: Fetch, wishes: Wishes, problems: Problems) -> None:
        self._fetch = fetch
        self._wishes = wishes
        self._problems = problems
        self.paths: dict[str, None] = {}
        """Of every file that was read."""
        self._count = 0

    def cases(self, found: Found, prefix: str) -> list[Case]:
        """The cases of one file. Raises UsageError where nothing of it can be read."""
        self.paths[found.path] = None
        config, rows = self._content(found)
        templates = list(self._wishes.prompts) or self._prompts(config.get("prompts"), found)
        default = promptfoo.default_test(config.get("defaultTest"), found.name, self._problems)
        made: list[Case] = []
        for number, row in enumerate(rows, 1):
            test = promptfoo.test(row, self._problems)
            if test is not None:
                made += self._of_test(promptfoo.merged(default, test), templates, f"{prefix}{number}", found)
        return made

    # ---- what a file holds

    def _content(self, found: Found) -> tuple[Mapping[str, Any], list[Row]]:
        """The configuration around the tests, and the tests."""
        suffix = PurePath(found.path).suffix.lower()
        if suffix in (".jsonl", ".ndjson"):
            return {}, list(json_lines(found.text, found.name))
        if suffix == ".csv":
            return {}, list(csv_rows(found.text, found.name))
        if suffix in (".yaml", ".yml"):
            value = yaml_value(found.text, found.name)
        elif suffix == ".json":
            value = json_value(found.text, found.name)
        else:
            raise UsageError("case files end in .jsonl, .csv, .yaml or .json")
        if isinstance(value, list):
            return {}, promptfoo.rows(value, found.name)
        if not isinstance(value, Mapping):
            raise UsageError("it holds neither a list of cases nor a mapping with tests")
        config = promptfoo.config(value, found.name, self._problems)
        return config, list(self._tests(config.get("tests"), found))

    def _tests(self, given: object, found: Found) -> Iterator[Row]:
        for each in given if isinstance(given, list) else [given]:
            if isinstance(each, str):
                with self._problems.at(f"{found.name}: tests"):
                    other = self._file(promptfoo.file_name(each), found)
                    config, rows = self._content(other)
                    if config:
                        raise UsageError(f"{printable(each, 80)} holds a configuration, not tests")
                    yield from rows
            elif each is not None:
                yield promptfoo.rows([each], found.name)[0]

    def _file(self, name: str, found: Found) -> Found:
        other = self._fetch(name, found.path)
        self.paths[other.path] = None
        return other

    def _prompts(self, given: object, found: Found) -> list[Template]:
        made: list[Template] = []
        for each in given if isinstance(given, list) else [] if given is None else [given]:
            with self._problems.at(f"{found.name}: prompts"):
                text, label = promptfoo.prompt(each)
                if promptfoo.is_file(text):
                    other = self._file(promptfoo.file_name(text), found)
                    made += prompts.from_file(other.text, other.name, other.path)
                else:
                    made.append(prompts.from_text(text, label))
        return made

    # ---- what becomes of a test

    def _of_test(self, test: Test, templates: list[Template], name: str, found: Found) -> Iterator[Case]:
        assertions = self._assertions(test)
        with self._problems.at(test.where):
            chosen = [test.template] if test.template is not None else templates or [Template("{{prompt}}")]
            variables, files = self._variables(test, found)
            choices = list(itertools.islice(_combinations(variables, expand=test.expand), MOST_OF_ONE + 1))
            if len(choices) * len(chosen) > MOST_OF_ONE:
                raise UsageError(f"it makes more than {MOST_OF_ONE} cases")
            self._count += len(choices) * len(chosen)
            if self._count > MOST_CASES:
                raise UsageError(f"there are more than {MOST_CASES} cases")
            for place, choice in enumerate(choices, 1):
                for number, template in enumerate(chosen, 1):
                    marks = [f"v{place}"] if len(choices) > 1 else []
                    marks += [f"p{number}"] if len(chosen) > 1 else []
                    identity = "/".join([test.id or name, *marks])
                    where = files | dict.fromkeys(template.files) | {found.path: None}
                    yield self._case(test, template, choice, assertions, identity, files=tuple(where))

    def _case(
        self,
        test: Test,
        template: Template,
        choice: Mapping[str, Json],
        assertions: list[Assertion],
        identity: str,
        *,
        files: tuple[str, ...],
    ) -> Case:
        variables = resolved(choice)
        messages = template.render(variables, test.prefix, test.suffix)
        system = self._wishes.system if test.system is None else test.system
        if system and all(message.role is not Role.SYSTEM for message in messages):
            messages = (Message(Role.SYSTEM, system), *messages)
        filled = tuple(expectations.filled(each, variables) for each in assertions)
        return Case(identity, messages, filled, test.description, test.threshold, test.where, variables, files)

    def _assertions(self, test: Test) -> list[Assertion]:
        if len(test.expected) > MOST_ASSERTIONS:
            self._problems.add(test.where, f"more than {MOST_ASSERTIONS} assertions")
            return []
        read = [
            expectations.read(
                each, f"{test.where}: assert[{place}]", self._problems, allow_python=self._wishes.allow_python
            )
            for place, each in enumerate(test.expected)
        ]
        return [each for each in read if each is not None]

    def _variables(self, test: Test, found: Found) -> tuple[dict[str, Json], dict[str, None]]:
        """With the text of files that are named ``file://…`` in place of their names."""
        made: dict[str, Json] = {}
        files: dict[str, None] = {}
        for key, value in test.variables.items():
            made[key] = plain_json(value)
            if isinstance(value, str) and value.startswith("file://"):
                other = self._file(promptfoo.file_name(value), found)
                files[other.path] = None
                made[key] = promptfoo.variable(other.text, other.name)
        return made, files


def _combinations(variables: Mapping[str, Json], *, expand: bool) -> Iterator[dict[str, Json]]:
    """Each value of a list of values with each of the others."""
    lists = [value if expand and isinstance(value, list) and value else [value] for value in variables.values()]
    for values in itertools.product(*lists):
        yield dict(zip(variables, values, strict=True))
