"""Case files: promptfoo's documented forms read as they are, what isn't supported refused by its name and place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.errors import UsageError
from quarterdeck.model.cases.assertions import Output, held
from quarterdeck.model.cases.case import Case, Suite
from quarterdeck.model.cases.prompts import Template
from quarterdeck.model.cases.reading import Found, Wishes, read
from quarterdeck.model.cases.verdict import conclude
from quarterdeck.model.chat.request import Role


def suite(name: str, text: str, others: dict[str, str] | None = None, **wishes: object) -> Suite:
    def fetch(wanted: str, base: str) -> Found:
        if others is None or wanted not in others:
            raise UsageError(f"{wanted}: No such file or directory")
        return Found(wanted, f"/cases/{wanted}", others[wanted])

    return read([Found(name, f"/cases/{name}", text)], fetch, Wishes(**wishes))  # type: ignore[arg-type]


def cases(name: str, text: str, others: dict[str, str] | None = None, **wishes: object) -> tuple[Case, ...]:
    return suite(name, text, others, **wishes).cases


def problems(name: str, text: str, others: dict[str, str] | None = None, **wishes: object) -> list[str]:
    with pytest.raises(UsageError) as error:
        suite(name, text, others, **wishes)
    return error.value.message.split("\n")


def texts(case: Case) -> list[tuple[str, str]]:
    return [(message.role.value, message.text) for message in case.messages]


FULL = """\
# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
description: Simple test
prompts:
  - 'Rephrase this in {{language}}: {{body}}'
  - 'Translate this to conversational {{language}}: {{body}}'
providers:
  - openai:gpt-5
defaultTest:
  assert:
    - type: latency
      threshold: 5000
tests:
  - description: a greeting
    vars:
      language: French
      body: Hello world
    assert:
      - type: icontains
        value: bonjour
        weight: 2
        metric: greeting
    threshold: 0.5
  - vars:
      language: [Pirate, French]
      body: I'm hungry
"""


def test_a_configuration_with_prompts_defaults_and_lists() -> None:
    found = suite("promptfooconfig.yaml", FULL)
    assert [case.id for case in found.cases] == ["1/p1", "1/p2", "2/v1/p1", "2/v1/p2", "2/v2/p1", "2/v2/p2"]
    first, *_, last = found.cases
    assert texts(first) == [("user", "Rephrase this in French: Hello world")]
    assert texts(last) == [("user", "Translate this to conversational French: I'm hungry")]
    assert [(one.label, one.value, one.threshold, one.weight) for one in first.assertions] == [
        ("latency", None, 5000.0, 1.0),
        ("icontains", "bonjour", None, 2.0),
    ]
    assert (first.description, first.threshold, first.where) == ("a greeting", 0.5, "promptfooconfig.yaml:13")
    assert found.notes == ("promptfooconfig.yaml: providers is left aside: -m says which models are asked",)
    assert found.files == ("/cases/promptfooconfig.yaml",)


def test_prompts_and_tests_in_files_of_their_own() -> None:
    config = "prompts: [file://prompts.txt, chat.json]\ntests: file://tests.csv\n"
    others = {
        "prompts.txt": "First {{x}}\n---\nSecond {{x}}\n",
        "chat.json": '[{"role": "system", "content": "be {{x}}"}, {"role": "user", "content": "go"}]',
        "tests.csv": "x,__expected\nred,contains:red\n",
    }
    found = suite("c.yaml", config, others)
    assert [texts(case) for case in found.cases] == [
        [("user", "First red")],
        [("user", "Second red")],
        [("system", "be red"), ("user", "go")],
    ]
    assert set(found.files) == {"/cases/c.yaml", "/cases/prompts.txt", "/cases/chat.json", "/cases/tests.csv"}
    assert found.cases[0].files == ("/cases/prompts.txt", "/cases/c.yaml")


CSV = '''\
language,body,__expected,__expected2,__description,__prefix,__suffix,__threshold,__metadata:team
French,"Hello, world",icontains:bonjour,not-contains:sorry,greeting,P ,\u0020S,0.5,red
German,Hi,"contains-any:hallo, ""guten, Tag""",,,,,,
Dutch,Hi,latency(500),,,,,,
Plain,Hi,Just this,,,,,,
Shape,Hi,"is-json:{""type"": ""object""}",,,,,,
'''


def test_a_csv_in_promptfoo_s_form() -> None:
    read_cases = cases("t.csv", CSV, prompts=(Template("In {{language}}: {{body}}"),))
    assert texts(read_cases[0]) == [("user", "P In French: Hello, world S")]
    assert (read_cases[0].description, read_cases[0].threshold, read_cases[0].where) == ("greeting", 0.5, "t.csv:2")
    kinds = [[(one.label, one.value, one.threshold) for one in case.assertions] for case in read_cases]
    assert kinds == [
        [("icontains", "bonjour", None), ("not-contains", "sorry", None)],
        [("contains-any", ["hallo", "guten, Tag"], None)],
        [("latency", None, 500.0)],
        [("equals", "Just this", None)],
        [("is-json", {"type": "object"}, None)],
    ]


def test_json_lines_with_our_own_keys() -> None:
    lines = [
        {"id": "capital", "prompt": "Capital of {{country}}?", "vars": {"country": "France"}},
        {"messages": [{"role": "system", "content": "short"}, {"role": "user", "content": "hi"}], "system": "x"},
        {"vars": {"prompt": "as it is"}, "assert": [{"type": "number", "value": 4, "tolerance": "2%"}]},
    ]
    found = cases("t.jsonl", "\n\n".join(json.dumps(line) for line in lines), system="be brief")
    assert [case.id for case in found] == ["capital", "2", "3"]
    assert texts(found[0]) == [("system", "be brief"), ("user", "Capital of France?")]
    assert texts(found[1]) == [("system", "short"), ("user", "hi")]
    assert texts(found[2]) == [("system", "be brief"), ("user", "as it is")]
    assert (found[2].assertions[0].threshold, found[2].assertions[0].relative) == (0.02, True)
    assert found[2].where == "t.jsonl:5"


def test_a_literal_prompt_is_sent_as_it_stands() -> None:
    text = '[{"role": "user"}] {{a | b}} {% c %}'
    (case,) = cases("t.json", json.dumps([{"prompt": text, "literal": True}]))
    assert texts(case) == [("user", text)]
    (case,) = cases("t.json", json.dumps([{"messages": [{"role": "user", "content": "{{x}}"}], "literal": True}]))
    assert texts(case) == [("user", "{{x}}")]


@pytest.mark.parametrize("keep", [True, False])
def test_lists_of_variables_may_stay_lists(keep: bool) -> None:
    test: dict[str, object] = {"vars": {"x": ["a", "b"]}, "prompt": "{{x[1]}}" if keep else "{{x}}"}
    test["options"] = {"disableVarExpansion": keep}
    assert [texts(case)[0][1] for case in cases("t.json", json.dumps([test]))] == (["b"] if keep else ["a", "b"])


def test_variables_name_others_and_files() -> None:
    test = {"prompt": "{{a}} {{b}} {{c.d}}", "vars": {"a": "<{{b}}>\n", "b": "x", "c": "file://c.txt"}}
    test["vars"]["c"] = {"d": 3.0}  # type: ignore[index]
    (case,) = cases("t.json", json.dumps([test]))
    assert texts(case) == [("user", "<x> x 3")]
    (case,) = cases("t.json", '[{"prompt": "{{a}}", "vars": {"a": "file://a.txt"}}]', {"a.txt": " text \n"})
    assert texts(case) == [("user", "text")]
    assert case.files == ("/cases/a.txt", "/cases/t.json")


def test_yaml_takes_words_as_promptfoo_s_reader_does() -> None:
    text = "- {prompt: '{{a}} {{b}} {{c}} {{d}} {{e}}', vars: {a: yes, b: 12:30, c: 2024-01-02, d: 1e3, e: true}}"
    assert texts(cases("t.yaml", text)[0]) == [("user", "yes 12:30 2024-01-02 1000 true")]


UNSUPPORTED = [
    ("scenarios: []\ntests: [{vars: {prompt: x}}]", "t.yaml:1: the key 'scenarios' of a configuration"),
    (
        "tests:\n- vars: {prompt: x}\n  assert: [{type: llm-rubric, value: x}]",
        "t.yaml:2: assert[0]: the type 'llm-rubric'",
    ),
    (
        "tests:\n- vars: {prompt: x}\n  assert: [{type: not-similar, value: x}]",
        "the type 'not-similar' is not supported",
    ),
    ("tests:\n- vars: {prompt: x}\n  assert: [{type: javascript, value: x}]", "the type 'javascript' is not supported"),
    (
        "tests:\n- vars: {prompt: x}\n  assert: [{type: contains, value: x, transform: y}]",
        "the key 'transform' of an assertion",
    ),
    ("tests:\n- vars: {prompt: x}\n  provider: openai:x", "t.yaml:2: the key 'provider' of a test"),
    ("tests:\n- vars: {prompt: x}\n  options: {transform: x}", "the key 'transform' of options"),
    ("tests:\n- vars: {prompt: x}\n  asert: []", "the key 'asert' of a test is not supported; did you mean 'assert'?"),
    ("tests: [{vars: {prompt: x}}]\nprompts: ['{{prompt | upper}}']", "the filter 'upper' in {{prompt | upper}}"),
    ("tests: [{vars: {prompt: x}}]\nprompts: ['{% if prompt %}x{% endif %}']", "{% if %} in a template"),
    ("tests: [{vars: {prompt: x}}]\nprompts: ['{{ env.KEY }}']", "variables of the environment are not supported"),
    ("tests: [{vars: {prompt: x}}]\nprompts: ['{{nobody}}']", "there is no variable 'nobody'"),
    ("tests: [{vars: {prompt: x}}]\nprompts: [file://make.py]", "files that have to be run or converted"),
    ("tests: [{vars: {prompt: x}}]\nprompts: ['file://*.txt']", "patterns are not supported"),
    ("tests: https://example.com/t.csv", "only files of this machine"),
    ("tests: [{vars: {prompt: x}, assert: [{type: python, value: 'True'}]}]", "--allow-python"),
    ("tests: [{vars: {prompt: x}, assert: [{type: contains}]}]", "contains needs a text as value"),
    ("tests: [{vars: {prompt: x}, assert: [{type: latency}]}]", "latency needs a threshold"),
    ("tests: [{vars: {prompt: x}, assert: [{type: regex, value: '('}]}]", "no regular expression"),
    ("tests: [{vars: {prompt: x}, assert: [{type: word-count, value: {least: 1}}]}]", "word-count takes min and max"),
    ("tests: [{vars: {prompt: x}, assert: [{type: contains, value: file://x.txt}]}]", "value in another file"),
    ("tests: [{id: a, vars: {prompt: x}}, {id: a, vars: {prompt: x}}]", "the id 'a' is taken"),
    ("tests: []", "there are no cases"),
    ("tests: [7]", "a test is a mapping"),
    ("a: [1", "no YAML"),
]


@pytest.mark.parametrize(("text", "said"), UNSUPPORTED)
def test_what_is_not_supported_is_named(text: str, said: str) -> None:
    assert any(said in line for line in problems("t.yaml", text)), problems("t.yaml", text)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.csv", "a,__expected\nx,llm-rubric:good\n", "t.csv:2: __expected: 'llm-rubric' in an expectation"),
        ("t.csv", "a,__expected\nx,similar(0.8):good\n", "t.csv:2: assert[0]: the type 'similar' is not supported"),
        ("t.csv", "a,__providerOutput\nx,y\n", "t.csv:2: the column '__providerOutput'"),
        ("t.csv", "a,__expected\nx,latency:500\n", 'latency needs a threshold ("latency(500)" in a CSV)'),
        ("t.csv", "a,a\nx,y\n", "two columns have the same name"),
        ("t.csv", "a\nx,y\n", "t.csv:2: 2 cells, but 1 columns"),
        ("t.jsonl", '{"prompt": "x"}\n{"prompt": \n', "t.jsonl:2: no JSON"),
        ("t.json", '{"tests": "x.json"', "t.json:1: no JSON"),
        ("t.txt", "x", "case files end in"),
        ("t.jsonl", '{"messages": [{"role": "tool", "content": "x"}]}', "the role 'tool'"),
        ("t.jsonl", '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "'image_url'"),
        ("t.jsonl", '{"prompt": "x", "id": ""}', "an id is a text"),
    ],
)
def test_mistakes_of_other_forms_are_named_with_their_line(name: str, text: str, said: str) -> None:
    found = problems(name, text, prompts=(Template("{{a}}"),) if name.endswith(".csv") else ())
    assert any(said in line for line in found), found


def test_all_mistakes_are_told_at_once_and_not_without_end() -> None:
    text = "tests:\n" + "".join(f"- {{vars: {{prompt: x}}, odd{number}: 1}}\n" for number in range(30))
    found = problems("t.yaml", text)
    assert len(found) == 21
    assert found[-1] == "and 10 more"


def test_a_file_that_grows_when_it_is_read_is_refused() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    assert any("too many values" in line for line in problems("t.yaml", text))
    assert any("too deep" in line or "no JSON" in line for line in problems("t.json", "[" * 500 + "]" * 500))
    many = {"prompt": "{{a}}{{b}}{{c}}", "vars": {name: list(map(str, range(50))) for name in "abc"}}
    assert any("more than 1000 cases" in line for line in problems("t.json", json.dumps([many])))


def test_python_is_read_where_it_is_allowed() -> None:
    text = "tests: [{vars: {prompt: x}, assert: [{type: python, value: 'len(output) > 3'}]}]"
    (case,) = cases("t.yaml", text, allow_python=True)
    assert case.assertions[0].value == "len(output) > 3"


def test_the_system_prompt_is_put_first_only_where_there_is_none() -> None:
    (case,) = cases("t.jsonl", '{"prompt": "x", "system": "own"}', system="shared")
    assert case.messages[0].role is Role.SYSTEM
    assert case.messages[0].text == "own"


def test_a_case_s_hash_changes_with_anything_that_is_asked_or_expected() -> None:
    def of(**more: object) -> str:
        return cases("t.json", json.dumps([{"prompt": "x", **more}]))[0].digest("salt")

    plain = of()
    assert plain == of(description="another")
    others = [
        of(prompt="y"),
        of(id="y"),
        of(system="y"),
        of(threshold=0.5),
        cases("t.json", json.dumps([{"prompt": "x"}]))[0].digest("other salt"),
        of(**{"assert": [{"type": "contains", "value": "x"}]}),
        of(**{"assert": [{"type": "not-contains", "value": "x"}]}),
    ]
    assert len({plain, *others}) == len(others) + 1


@given(st.text(max_size=300), st.sampled_from(["t.yaml", "t.json", "t.jsonl", "t.csv"]))
def test_any_text_is_read_or_refused(text: str, name: str) -> None:
    try:
        found = suite(name, text, prompts=(Template("x"),))
    except UsageError:
        return
    assert found.cases


DATA = Path(__file__).parent.parent / "data" / "cases"


def example(name: str) -> tuple[Case, ...]:
    return cases(name, (DATA / name).read_text())


def test_promptfoo_s_forms_come_to_promptfoo_s_verdicts() -> None:
    expected = json.loads((DATA / "verdicts.json").read_text())
    read_cases = example("promptfooconfig.yaml")
    assert {case.id for case in read_cases} == expected.keys()
    for case in read_cases:
        output = Output(expected[case.id]["answer"], latency_ms=900.0, cost=0.02)
        judged = conclude([held(each, output) for each in case.assertions], case.threshold)
        assert judged.verdict.value == expected[case.id]["verdict"], (case.id, judged)


def test_everything_of_promptfoo_s_that_is_not_supported_is_named() -> None:
    said = "\n".join(problems("unsupported.yaml", (DATA / "unsupported.yaml").read_text()))
    for name in (
        "nunjucksFilters",
        "scenarios",
        "llm-rubric",
        "similar",
        "javascript",
        "transform",
        "provider",
        "capitalize",
    ):
        assert repr(name) in said
    assert "unsupported.yaml:9: assert[0]" in said
