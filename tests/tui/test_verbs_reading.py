"""Typed verbs without a screen: words and their places, what completes them, what is wrong and where."""

from __future__ import annotations

import contextlib
import io
import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import endpoint_view, model, snapshot
from quarterdeck.cli.act import _wish
from quarterdeck.cli.parser import parse
from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.wishes import Wanted, orders
from quarterdeck.errors import UsageError
from quarterdeck.model.actions import ACTIONS, BY_ID
from quarterdeck.model.fleet import State
from quarterdeck.model.models import ModelState
from quarterdeck.tui.commands import COMMANDS, LIVE_ONLY
from quarterdeck.tui.verbs.checking import RECORDING, checked, in_words, seconds_of
from quarterdeck.tui.verbs.completing import Candidate, candidates
from quarterdeck.tui.verbs.history import VerbHistory
from quarterdeck.tui.verbs.known import Known, Name
from quarterdeck.tui.verbs.lexing import ended, quoted, tokens
from quarterdeck.tui.verbs.reading import read
from quarterdeck.tui.verbs.table import verbs

LOADED, INSTALLED = ModelState.LOADED, ModelState.INSTALLED
BOX = endpoint_view("box", engine="ollama", models=(model("llama3:8b", LOADED), model("qwen3:8b", INSTALLED)))
MAC = endpoint_view("mac", engine="ollama", models=(model("qwen3:8b", LOADED), model("my model", LOADED)))
VLLM = endpoint_view("vllm-a", engine="vllm", models=(model("qwen3-32b", LOADED),))
DOWN = endpoint_view("old", engine="ollama", state=State.DOWN, reason="refused")
CONFIG = FleetConfig(
    endpoints=tuple(EndpointSpec(name, f"http://{name}:1") for name in ("box", "mac", "vllm-a", "old")),
    deployments=(DeploymentSpec("prod", "vllm-a", "systemd"),),
)
KNOWN = Known(
    snapshot(BOX, MAC, VLLM, DOWN),
    CONFIG,
    selected="mac",
    themes=(Name("quarterdeck-night"), Name("lisbon-noon"), Name("dracula", "Textual's")),
    orders=(Name("state", "worst first"), Name("name", "by name")),
    fields=(Name("state", "How it is."), Name("tps", "tok/s")),
)
VERBS = verbs("fleet")


def offered(line: str, known: Known = KNOWN) -> list[Candidate]:
    return candidates(read(line, VERBS), known)


def names(line: str) -> list[str]:
    """What is offered and can be meant."""
    return [each.text for each in offered(line) if not each.reason]


def wrong(line: str, known: Known = KNOWN, **how: Any) -> tuple[str, str]:
    """What is wrong, and the part of the line where it is; "" where nothing is."""
    found = checked(line, VERBS, known, **how).wrong
    return ("", "") if found is None else (found.text, line[found.start : found.end])


# ---- words

WORDS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@given(st.text(max_size=80))
def test_tokens_stand_where_they_say(line: str) -> None:
    found = tokens(line)
    end = 0
    for token in found:
        assert end <= token.start < token.end <= len(line)
        assert token.text == line[token.start : token.end].strip(token.quote or None) or token.quote
        assert not line[end : token.start].strip()
        end = token.end
    assert not line[end:].strip()


@given(st.lists(WORDS.filter(lambda word: not ("'" in word and '"' in word)), max_size=6))
def test_quoted_words_are_read_again(words: list[str]) -> None:
    line = " ".join(map(quoted, words))
    assert [token.text for token in tokens(line)] == words


@pytest.mark.parametrize(
    ("line", "expected"),
    [("", True), ("a", False), ("a ", True), ("'a b", False), ("'a b'", True), ("'", False), ('a "b" ', True)],
)
def test_where_a_word_ends(line: str, expected: bool) -> None:
    assert ended(line) is expected


@settings(max_examples=300)
@given(st.text(max_size=60) | st.builds(" ".join, st.lists(st.sampled_from(
    ["pull", "lora", "add", "unload", "--on", "--on=mac", "mac", "qwen3:8b", "--within", "30s", "'", '"my', "-", "--", "filter", "q", "sort"]
), max_size=7)))  # fmt: skip
def test_whatever_is_typed_is_read_completed_and_checked(line: str) -> None:
    for text in (line, line + " "):
        sentence = read(text, VERBS)
        for each in sentence.given:
            assert text[each.token.start : each.token.end].strip()[:0] == ""
            assert 0 <= each.token.start <= each.token.end <= len(text)
        assert all(isinstance(each.inserted, str) for each in candidates(sentence, KNOWN))
        found = checked(text, VERBS, KNOWN)
        assert (found.wrong is None) <= (found.sentence.verb is not None)
        in_words(found, KNOWN)


# ---- verbs


def test_every_action_and_every_listed_command_can_be_typed() -> None:
    typed = {verb.action for verb in VERBS if verb.action}
    assert typed == {action.id for action in ACTIONS}
    commands = {verb.command for verb in VERBS}
    here = {each.id for each in COMMANDS if each.listed and "fleet" in each.where and not each.replay}
    assert here - commands == {"act", "chat"}, "they mean what is selected"
    assert len({verb.words for verb in VERBS}) == len(VERBS), "no word means two things"


def test_a_recording_has_no_verb_that_asks_or_changes() -> None:
    found = verbs("fleet", replay=True)
    assert not any(verb.action for verb in found)
    assert not {verb.command for verb in found} & LIVE_ONLY
    assert not {verb.words[0] for verb in found} & {"interval", "chat", "log", "refresh", "pull"}
    assert {"filter", "sort", "theme", "open", "save", "gpus", "quit"} <= {verb.words[0] for verb in found}
    for line in ("pull qwen3 --on mac", "interval 5s", "chat x@mac", "read-only"):
        found_wrong = checked(line, found, KNOWN, replay=True).wrong
        assert found_wrong is not None
        assert found_wrong.text == RECORDING


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("q", "quit"),
        ("q!", "quit"),
        ("exit", "quit"),
        ("h", "help"),
        ("gpus", "view_gpus"),
        ("Jobs", "view_jobs"),
        ("read-only", "read_only"),
        ("filter", "filter"),
        ("chat", "view_chat"),
        ("w", "save"),
    ],
)
def test_short_words(line: str, expected: str) -> None:
    found = checked(line, VERBS, KNOWN)
    assert found.wrong is None
    assert found.sentence.verb is not None
    assert found.sentence.verb.command == expected


def test_the_filter_takes_all_that_stands_behind_it() -> None:
    found = checked("filter  state:down  !it's ", VERBS, KNOWN)
    assert [each.token.text for each in found.sentence.given] == ["state:down  !it's"]
    assert names("filter st") == ["state:"]
    assert [each.inserted for each in offered("filter x !t")] == ["!tps:"]


def test_only_views_with_a_table_are_filtered_and_sorted() -> None:
    assert not {"filter", "sort"} & {verb.words[0] for verb in verbs("help")}
    assert "filter" in {verb.words[0] for verb in verbs("log")}


# ---- what is read, as on the command line

LINES = (
    "pull qwen3:8b --on mac",
    "pull qwen3:8b llama3 --on=mac --on box",
    "load qwen3:8b --on box --context 32k --keep-alive 30m",
    "load --on box --context=8192 qwen3:8b",
    "unload llama3:8b",
    "unload 'my model'",
    "unload-all mac box",
    "rm llama3:8b --on box",
    "cp llama3:8b mine --on box",
    "mv llama3:8b mine",
    "pin llama3:8b",
    "sleep vllm-a --level 2",
    "lora add sql /adapters/sql --on vllm-a",
    "lora add sql /adapters/sql",
    "reset-cache vllm-a",
    "start prod",
    "stop prod --within 30s",
    "restart prod --within=1m",
)


def of_the_command_line(line: str) -> list[Wanted]:
    arguments = parse(shlex.split(line))
    return orders(_wish(arguments, BY_ID[arguments.action]), CONFIG, KNOWN.fleet)


@pytest.mark.parametrize("line", LINES)
def test_a_line_means_the_same_as_on_the_command_line(line: str) -> None:
    expected = of_the_command_line(line)
    found = checked(line, VERBS, KNOWN)
    assert found.wrong is None, found.wrong
    assert [each.order for each in found.wanted] == [each.order for each in expected]
    assert [each.view for each in found.wanted] == [each.view for each in expected]


@pytest.mark.parametrize(
    "line",
    [
        "pull qwen3:8b",
        "unload qwen3:8b",
        "unload nothing",
        "unload llama3:8b --on mac",
        "load qwen3:8b --on box --context lots",
        "load qwen3:8b --on box --contex 5",
        "lora add sql",
        "stop nothing",
        "stop prod --within soon",
        "sleep vllm-a --level 3",
        "pull",
        "unload-all",
        "cp llama3:8b a b",
    ],
)
def test_what_is_wrong_there_is_wrong_here(line: str) -> None:
    with contextlib.redirect_stderr(io.StringIO()), pytest.raises((SystemExit, UsageError)):
        of_the_command_line(line)
    assert wrong(line)[0]


@pytest.mark.parametrize(
    ("line", "text", "where"),
    [
        ("pull qwen3 --on mak", "no endpoint is called 'mak'. Did you mean mac?", "mak"),
        ("pull qwen3:8b", "which endpoint?. Say it with --on: box, mac.", "qwen3:8b"),
        ("unload qwen3:8b --on box", "unload qwen3:8b on box: qwen3:8b is not in memory", "qwen3:8b"),
        ("unload qwen3 --on mac", "mac has no model 'qwen3'. Did you mean qwen3:8b?", "qwen3"),
        ("load qwen3:8b --contex 5", "there is no option --contex; did you mean --context?", "--contex"),
        ("load qwen3:8b --context lots", "CONTEXT: expected a number of tokens such as 32768 or 32k, got 'lots'", "lots"),
        ("pul qwen3", "'pul' is no command here; did you mean pull?", "pul"),
        ("pull", "MODEL is missing, such as qwen3:8b: pull MODEL … [--on ENDPOINT]", ""),
        ("rm", "MODEL is missing, such as qwen3:8b: rm MODEL … [--on ENDPOINT]", ""),
        ("stop prod --within", "WITHIN is missing, such as 30s: stop DEPLOYMENT … [--within WITHIN]", ""),
        ("lora add sql --on vllm-a", "PATH is missing, such as /adapters/sql: lora add NAME PATH [--on ENDPOINT]", ""),
        ("lora add sql /a b --on vllm-a", "nothing can be made of 'b' here", "b"),
        ("theme lisbon", "no name is called 'lisbon'; did you mean lisbon-noon?", "lisbon"),
        ("sort nam", "no column is called 'nam'; did you mean name?", "nam"),
        ("interval soon", "'soon' is no time from 0.5s to 60s, such as 5s", "soon"),
        ("interval 5m", "'5m' is no time from 0.5s to 60s, such as 5s", "5m"),
        ("open vllm", "no endpoint is called 'vllm'; did you mean vllm-a?", "vllm"),
        ("chat mac", "which model of mac? MODEL@mac", "mac"),
        ("chat qwen@mac", "mac has no model 'qwen'; did you mean qwen3:8b?", "qwen@mac"),
        ("save fleet.png", "a file that ends in .txt, .svg or .json says what it is to be", "fleet.png"),
        ("stop product", "no deployment is called 'product'. Did you mean prod?", "product"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_is(line: str, text: str, where: str) -> None:
    assert wrong(line) == (text, where)


@pytest.mark.parametrize("line", ["pull qwen3 --on ol", "theme lisbon-noon", "interval 500ms", "interval 2", "open qwen3:8b@mac", "open box", "chat qwen3:8b@box", "sort name", "save a.svg", "refresh mac", "log box"])  # fmt: skip
def test_what_is_right(line: str) -> None:
    if line.endswith(" ol"):
        assert wrong(line)[0], "a beginning is no name"
    else:
        assert wrong(line) == ("", "")


def test_intervals() -> None:
    assert [seconds_of(text) for text in ("5s", "500ms", "2", "1m", "0.5", "0", "61s", "x", "")] == [
        5.0, 0.5, 2.0, 60.0, 0.5, None, None, None, None,
    ]  # fmt: skip


def test_what_enter_does_is_said_before() -> None:
    def told(line: str, known: Known = KNOWN) -> tuple[str, str]:
        return in_words(checked(line, VERBS, known), known)

    assert told("pull qwen3:8b --on mac") == ("Pull qwen3:8b on mac", "")
    assert told("rm llama3:8b") == ("Delete llama3:8b on box", "asks first")
    assert told("pull a b --on mac") == ("Pull 2 of them", "")
    protected = Known(KNOWN.fleet, FleetConfig(endpoints=(EndpointSpec("mac", "http://m", protected=True),)))
    assert told("pull a --on mac", protected) == ("Pull a on mac", "protected: asks for its name")
    locked = Known(KNOWN.fleet, FleetConfig(console=ConsoleSettings(read_only=True)))
    assert told("pull a --on mac", locked) == ("Pull a on mac", "read-only: nothing may be changed from here")


# ---- completion


def test_models_to_which_it_can_be_done_come_first() -> None:
    found = offered("unload ")
    able = [each for each in found if not each.reason and not each.text.startswith("-")]
    assert [each.text for each in able] == ["qwen3:8b", "my model", "llama3:8b"], "those of the selected endpoint first"
    assert able[1].inserted == '"my model"'
    assert able[0].aside == "loaded on mac"
    assert [each.reason for each in found if each.text == "qwen3-32b"] == [
        "a vLLM can't unload its model; sleep takes it off the GPUs"
    ]
    assert names("unload ll") == ["llama3:8b"]
    assert names("unload LLA") == ["llama3:8b"]
    assert names("unload 3:8") == ["qwen3:8b", "llama3:8b"], "what has it elsewhere counts, too"
    assert [each for each in names("unload llama3:8b ") if not each.startswith("-")] == ["qwen3:8b", "my model"]


def test_models_of_the_endpoint_that_is_named() -> None:
    assert names("unload --on box ") == ["llama3:8b", "--on"] or names("unload --on box ")[0] == "llama3:8b"
    assert "my model" not in names("unload --on box ")
    assert names("load --on box q") == ["qwen3:8b"]


def test_endpoints_that_can_come_first_and_the_others_say_why_not() -> None:
    found = offered("pull qwen3:8b --on ")
    assert [each.text for each in found] == ["mac", "box", "vllm-a", "old"]
    assert [bool(each.reason) for each in found] == [False, False, True, True]
    assert found[2].reason == "a vLLM serves the model it was started with"
    assert [each.text for each in offered("unload llama3:8b --on ") if not each.reason] == ["box"]
    assert names("pull x --on mac --on ") == ["box"], "not the one that was named"


def test_an_option_and_its_endpoint_in_one_go_where_all_else_was_said() -> None:
    found = offered("pull qwen3 ")
    assert [each.inserted for each in found if each.text.startswith("--on")] == ["--on mac", "--on box"]
    assert names("pull qwen3 --o") == ["--on"]


def test_options_and_their_values() -> None:
    assert names("load qwen3:8b --") == ["--on", "--keep-alive", "--context"]
    assert names("load qwen3:8b --context 8k --c") == [], "it was given"
    assert names("load qwen3:8b --context ") == ["32768"]
    assert names("load qwen3:8b --keep-alive=") == ["30m"]
    assert names("sleep vllm-a --level ") == ["1", "2"]
    assert names("stop ") == ["prod", "--within"]


def test_themes_columns_pages() -> None:
    assert names("theme ") == ["quarterdeck-night", "lisbon-noon", "dracula"]
    assert names("theme noon") == ["lisbon-noon"]
    assert names("sort ") == ["state", "name"]
    assert names("interval ") == ["1s", "2s", "5s", "10s", "30s"]
    assert names("open ")[:4] == ["mac", "box", "vllm-a", "old"]
    assert "qwen3:8b@mac" in names("open ")
    assert names("chat qwen3-32b") == ["qwen3-32b@vllm-a"]


@given(st.sampled_from(["unload", "pull", "load", "rm", "theme", "open", "chat", "sort", "stop", "sleep", "lora add"]))
def test_what_completes_a_line_is_never_wrong(verb: str) -> None:
    """What is offered as possible is taken, if no more is needed."""
    for each in offered(f"{verb} "):
        line = f"{verb} {each.inserted} "
        again = checked(line, VERBS, KNOWN)
        if not each.reason and not each.text.startswith("--") and again.wrong is not None:
            assert "missing" in again.wrong.text or "--on" in again.wrong.text, (line, again.wrong)


def test_hostile_names_are_one_word() -> None:
    told = (model("--on", LOADED), model("a'b c", LOADED), model("x\x1b[2J", LOADED))
    odd = endpoint_view("mac", engine="ollama", models=told)
    known = Known(snapshot(odd), FleetConfig())
    found = candidates(read("unload ", VERBS), known)
    able = [each for each in found if each.aside.startswith("loaded")]
    assert [each.inserted for each in able] == ['"--on"', '"a\'b c"']
    for each in able:
        assert checked(f"unload {each.inserted}", VERBS, known).wrong is None


# ---- history


@given(st.lists(st.text(st.characters(categories=["Ll", "Zs"]), max_size=5), max_size=30))
def test_up_goes_back_and_down_forth(lines: list[str]) -> None:
    history = VerbHistory()
    for line in lines:
        history.add(line)
    assert len(set(history.lines)) == len(history.lines)
    walked, line = [], ""
    while (earlier := history.before(line)) is not None:
        walked.append(earlier)
        line = earlier
    assert walked == list(reversed(history.lines))
    back = []
    while line:
        back.append(line)
        line = history.after(line)
    assert back == history.lines


def test_what_was_run_is_found_by_its_words() -> None:
    history = VerbHistory()
    for line in ("pull qwen3 --on mac", "gpus", "pull llama3 --on box", "gpus"):
        history.add(line)
    assert history.lines == ["pull qwen3 --on mac", "pull llama3 --on box", "gpus"]
    assert history.found("on pull") == ["pull llama3 --on box", "pull qwen3 --on mac"]
    assert history.before("never run") is None
    assert history.after("never run") == ""
