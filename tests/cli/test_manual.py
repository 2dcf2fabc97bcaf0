"""`quarterdeck man`: every command and option is in it, nothing of this machine is, and man takes it."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck import __version__
from quarterdeck.cli.completion import tables
from quarterdeck.cli.grammar import Command, Option, Value, read
from quarterdeck.cli.manual import escaped, page, text
from quarterdeck.cli.parser import whole
from quarterdeck.config.load import VARIABLE
from quarterdeck.engine import audit
from quarterdeck.engine.chat import keeping
from quarterdeck.engine.timeline import reading

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck

SECTIONS = [
    *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "OPTIONS OF SEVERAL COMMANDS"),
    *("FILES", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES", "SEE ALSO"),
]


@pytest.fixture(scope="module")
def program() -> Command:
    return read(whole())


@pytest.fixture(scope="module")
def source(program: Command) -> str:
    return page(program, __version__)


def plain(source: str) -> str:
    """Without fonts and escapes."""
    return re.sub(r"\\f[BIR]", "", source).replace("\\-", "-").replace("\\(aq", "'").replace("\\(ga", "`")


def test_its_sections(source: str) -> None:
    assert source.startswith(f'.TH QUARTERDECK 1 "" "quarterdeck {__version__}" "User Commands"\n')
    assert re.findall(r"^\.SH (.*)$", source, re.MULTILINE) == SECTIONS
    assert source.count(".RS\n") == source.count(".RE\n") > 20


def test_every_command_and_option_is_in_it(program: Command, source: str) -> None:
    commands = source.partition(".SH COMMANDS\n")[2].partition("\n.SH ")[0]
    entries = re.split(r"^\.TP\n\\fBquarterdeck (.*?)\\fR", commands, flags=re.MULTILINE)
    said = {plain(name): plain(body) for name, body in zip(entries[1::2], entries[2::2], strict=True)}
    assert list(said) != sorted(said), "by group"
    assert sorted(said) == sorted(place.name for place in program.walk() if place.name)
    for place in program.walk():
        body = said.get(place.name, plain(source.partition(".SH COMMANDS")[0]))
        for option in place.options:
            assert option.names[0] in body or "--help" in option.names, (place.name, option.names)
        for word in place.words:
            assert word.value.metavar in body


def test_the_files_and_variables_are_those_of_the_program(source: str) -> None:
    shown = plain(source)
    for name in (
        VARIABLE,
        reading.FILE,
        keeping.FILE,
        audit.FILE,
        "fleet.toml",
        "jobs/",
        "alerts/",
        "compare/",
        "themes/",
    ):
        assert name in shown


def test_the_examples_can_be_typed(program: Command, source: str) -> None:
    lines = re.findall(r'^\.B "(.*)"$', plain(source).partition(".SH EXAMPLES")[2], re.MULTILINE)
    commands = [
        line.split()[1] for line in lines if line.startswith("quarterdeck ") and not line.split()[1].startswith("-")
    ]
    options = {name for names in tables(program).options.values() for name, _ in names}
    assert {"status", "check", "pull"} <= set(commands) <= {each.name for each in program.commands}
    assert {word for line in lines for word in re.findall(r"(?<= )--?[a-z-]+", line)} <= options


def test_it_is_the_same_everywhere(quarterdeck: Quarterdeck, source: str) -> None:
    told = [
        quarterdeck("man", COLUMNS=width, LANG=lang, TZ="Asia/Tokyo")
        for width, lang in (("40", "C"), ("200", "C.UTF-8"))
    ]
    assert [(each.returncode, each.stderr, each.stdout) for each in told] == [(0, "", source)] * 2
    assert source.isascii()
    assert not re.search(r"20\d\d-\d\d", source)


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
def test_groff_has_nothing_to_say_against_it(source: str) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-rLL=78n", "-P-c"],
        input=source,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(".\b", "", done.stdout)
    assert "ops console for the models you run yourself" in shown
    assert "quarterdeck jobs cancel" in shown
    assert "\\" not in shown


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60))
def test_no_text_becomes_a_request(words: str) -> None:
    for line in text(words).split("\n"):
        assert not line.startswith((".", "'"))
        assert line.isascii()
        assert not re.search(r"\\(?![&e(\[-])", line)


def test_characters_of_roff() -> None:
    assert escaped(r"a\b -x") == r"a\eb \-x"
    assert escaped("1 × ‘…’") == r"1 \[u00D7] \[u2018]\[u2026]\[u2019]"
    assert text(".so /etc/passwd. 'x") == "\\&.so /etc/passwd.\n\\&\\(aqx"


def test_hostile_help_stays_text() -> None:
    option = Option(("--x",), ".so /etc/passwd", Value("A\\B", "-"))
    found = page(Command("", "'ab", "", (option,), (), ()), "1")
    assert "\n\\&.so /etc/passwd\n" in found
    assert "\\fIA\\eB\\fR" in found
    assert "\n'" not in found
