"""A run of cases: what is asked when, how often, and what comes of failures; judged in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from chat_fakes import DONE, FakeDesk, Script, Wire, answer, failure, fleet_file, fleet_view, wire
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.engine.chat.session import Session
from quarterdeck.engine.comparing import ledger as ledgers
from quarterdeck.engine.comparing.holding import Judge
from quarterdeck.engine.comparing.ledger import Ledger
from quarterdeck.engine.comparing.naming import target
from quarterdeck.engine.comparing.plan import Order, Plan, changes, fingerprint, groups, plan, said
from quarterdeck.engine.comparing.quoting import UNKEPT
from quarterdeck.engine.comparing.run import GIVE_UP_AFTER, Manner, Progress, Run
from quarterdeck.errors import UsageError
from quarterdeck.model.cases.assertions import Output
from quarterdeck.model.cases.case import Assertion, Case
from quarterdeck.model.cases.result import Target, of_all, of_target
from quarterdeck.model.cases.verdict import Verdict
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.model.chat.request import Message, Role, Sampling
from quarterdeck.model.fleet import Boundary

__all__ = ["wire"]
LAB, PROD, CLOUD = Target("lab", "qwen3:8b"), Target("prod", "qwen3-32b"), Target("cloud", "atlas")


def case(number: int, *assertions: Assertion) -> Case:
    return Case(f"c{number}", (Message(Role.USER, f"prompt number {number}"),), assertions)


def made(*targets: Target, count: int = 4, repeat: int = 1, assertions: tuple[Assertion, ...] = ()) -> Plan:
    return plan([case(number, *assertions) for number in range(count)], targets, Sampling(), repeat, "salt")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return ledgers.begin({}, tmp_path / "run.jsonl", texts=False)


@pytest.fixture
async def judge() -> AsyncIterator[Judge]:
    judge = Judge(deadline_s=1.0)
    yield judge
    await judge.close()


def run_of(what: Plan, ledger: Ledger, judge: Judge, desk: FakeDesk | None = None, **manner: object) -> Run:
    return Run(desk or FakeDesk(), Session(), what, ledger, judge, manner=Manner(pause_s=0.0, **manner))  # type: ignore[arg-type]


async def test_every_pair_is_asked_once_and_judged(wire: Wire, ledger: Ledger, judge: Judge) -> None:
    wire.on("lab", answer("yes indeed"))
    wire.on("prod", answer("no"))
    what = made(LAB, PROD, repeat=2, assertions=(Assertion("contains", "yes"),))
    heard: list[Progress] = []
    run = Run(FakeDesk(), Session(), what, ledger, judge, manner=Manner(), on_change=heard.append)
    await run.run()
    assert len(wire.asked) == len(what.pairs) == 16
    found = run.comparison()
    assert (of_target(found, 0).passed, of_target(found, 1).failed) == (8, 8)
    assert of_all(found).share == 0.5
    assert found.cell(0, 0)[1] is not None
    assert (heard[-1].done, heard[-1].passed, heard[-1].failed, heard[-1].flying) == (16, 8, 8, 0)
    result = found.results[what.pairs[0].id]
    assert (result.prompt_tokens, result.output_tokens, result.circumstances.waiting) == (12, 5, 0)


async def test_what_is_in_the_ledger_is_not_asked_again(wire: Wire, ledger: Ledger, judge: Judge) -> None:
    what = made(LAB)
    stop = asyncio.Event()
    wire.on("lab", answer("a"), answer("b"), Script([stop]))
    run = run_of(what, ledger, judge)
    task = asyncio.create_task(run.run())
    while len(wire.asked) < 3:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.progress().done == 2
    assert ledger.standing.flying == {what.pairs[2].id}
    ledger.close()
    wire.on("lab", answer("c"))
    again = ledgers.resume(ledger.path)
    await run_of(what, again, judge).run()
    assert wire.prompts("lab") == [f"prompt number {number}" for number in (0, 1, 2, 2, 3)]
    assert again.standing.results[what.pairs[2].id].asked == 2
    again.close()


@pytest.mark.parametrize(
    ("order", "concurrency", "most"),
    [
        (Order.BY_HOST, 1, 1),
        (Order.SERIAL, 1, 1),
        (Order.PARALLEL, 1, 2),
        (Order.PARALLEL, 2, 4),
        (Order.BY_HOST, 3, 3),
    ],
)
async def test_how_many_run_at_one_time_on_one_machine(
    wire: Wire, ledger: Ledger, judge: Judge, *, order: Order, concurrency: int, most: int
) -> None:
    steps: list[str] = ["x"] * 20
    wire.on("lab", Script([*steps, DONE]))
    wire.on("prod", Script([*steps, DONE]))
    await run_of(made(LAB, PROD, count=6), ledger, judge, order=order, concurrency=concurrency).run()
    assert wire.most_open == most


async def test_two_models_of_one_endpoint_share_its_limit(wire: Wire, ledger: Ledger, judge: Judge) -> None:
    wire.on("lab", Script([*["x"] * 20, DONE]))
    other = Target("lab", "gemma3:12b")
    await run_of(made(LAB, other), ledger, judge, order=Order.PARALLEL, concurrency=1).run()
    assert wire.most_open == 1


async def test_a_model_is_asked_all_its_cases_before_the_next_one(wire: Wire, ledger: Ledger, judge: Judge) -> None:
    await run_of(made(LAB, Target("lab", "gemma3:12b"), count=3), ledger, judge).run()
    assert [request.model for _, request in wire.asked] == ["qwen3:8b"] * 3 + ["gemma3:12b"] * 3


async def test_a_warm_up_comes_first_and_counts_for_nothing(wire: Wire, ledger: Ledger, judge: Judge) -> None:
    what = made(LAB, count=2)
    await run_of(what, ledger, judge, warm_up=True).run()
    first = wire.asked[0][1]
    assert (first.sampling.max_tokens, first.messages[0].text) == (1, "Say ok.")
    assert len(wire.asked) == 3
    assert len(ledger.standing.results) == 2


async def test_failures_on_the_way_are_sent_again_only_where_it_was_asked_for(
    wire: Wire, ledger: Ledger, judge: Judge
) -> None:
    wire.on("lab", Script([failure("connection refused")]), answer("yes"))
    what = made(LAB, count=2)
    run = run_of(what, ledger, judge, retries=2)
    await run.run()
    assert of_all(run.comparison()).passed == 2
    assert ledger.standing.results[what.pairs[0].id].asked == 2


@pytest.mark.parametrize("reason", ["400: no such model", "401: key missing or wrong"])
async def test_what_a_server_refuses_is_not_sent_again(wire: Wire, ledger: Ledger, judge: Judge, reason: str) -> None:
    wire.on("lab", Script([failure(reason)]))
    run = run_of(made(LAB, count=1), ledger, judge, retries=5)
    await run.run()
    assert len(wire.asked) == 1
    (result,) = run.comparison().results.values()
    assert (result.verdict, result.reason) == (Verdict.ERROR, reason)


async def test_an_answer_that_broke_off_is_no_answer_and_not_sent_again(
    wire: Wire, ledger: Ledger, judge: Judge
) -> None:
    wire.on("lab", Script(["half", failure("connection lost")]))
    run = run_of(made(LAB, count=1, assertions=(Assertion("contains", "half"),)), ledger, judge, retries=3)
    await run.run()
    (result,) = run.comparison().results.values()
    assert (result.verdict, result.ending, len(wire.asked)) == (Verdict.ERROR, "failed", 1)


async def test_a_dead_model_is_given_up_and_the_others_go_on(wire: Wire, ledger: Ledger, judge: Judge) -> None:
    wire.on("lab", Script([failure("connection refused")]))
    run = run_of(made(LAB, PROD, count=12), ledger, judge)
    await run.run()
    found = run.comparison()
    assert of_target(found, 0).errors == GIVE_UP_AFTER
    assert of_target(found, 0).missing == 12 - GIVE_UP_AFTER
    assert of_target(found, 1).passed == 12
    assert any("given up" in note for note in found.notes)


async def test_a_server_that_quotes_the_prompt_leaves_nothing_behind(wire: Wire, ledger: Ledger, judge: Judge) -> None:
    wire.on("lab", Script([failure('400: can\'t parse "prompt number 0"')]))
    run = run_of(made(LAB, count=1), ledger, judge)
    await run.run()
    (result,) = run.comparison().results.values()
    assert result.reason == f"400: {UNKEPT}"
    assert "prompt number 0" in result.detail
    assert b"prompt number" not in ledger.path.read_bytes()


@pytest.mark.parametrize("rule", [Rule.NEVER, Rule.ASK])
async def test_what_the_policy_forbids_is_never_sent(wire: Wire, ledger: Ledger, judge: Judge, rule: Rule) -> None:
    desk = FakeDesk(config=fleet_file(Policy(external=rule)))
    run = run_of(made(LAB, CLOUD, count=2), ledger, judge, desk)
    await run.run()
    assert {name for name, _ in wire.asked} == {"lab"}
    assert of_target(run.comparison(), 1).missing == 2
    assert any(note.startswith("atlas@cloud is not asked") for note in run.comparison().notes)


async def test_the_policy_on_files_counts_for_case_files(wire: Wire, ledger: Ledger, judge: Judge) -> None:
    desk = FakeDesk(config=fleet_file(Policy(external=Rule.ALLOW, paths=(("/secret/**", Rule.NEVER),))))
    cases = [replace(case(0), files=("/secret/cases.csv",)), replace(case(1), files=("/open/cases.csv",))]
    await run_of(plan(cases, [CLOUD], Sampling(), 1, "s"), ledger, judge, desk).run()
    assert wire.prompts("cloud") == ["prompt number 1"]


async def test_cold_starts_are_marked_and_left_out(wire: Wire, ledger: Ledger, judge: Judge) -> None:
    run = run_of(made(Target("lab", "gemma3:12b"), count=2), ledger, judge)
    await run.run()
    sums = of_all(run.comparison())
    assert (sums.cold, sums.passed, sums.total) == (2, 2, None)


# ---- judging


async def test_a_regex_that_never_ends_is_ended(judge: Judge) -> None:
    trap = replace(case(0), assertions=(Assertion("regex", "(a+)+$"), Assertion("contains", "a")))
    judged = await judge.judge(trap, Output("a" * 64 + "!"))
    assert judged.verdict is Verdict.ERROR
    assert judged.reason == "regex: it took longer than 1 s"
    assert judged.findings[1].passed is True
    judged = await judge.judge(replace(trap, assertions=(Assertion("regex", "^b"),)), Output("b"))
    assert judged.verdict is Verdict.PASS


async def test_assertions_keep_their_order(judge: Judge) -> None:
    assertions = (
        Assertion("is-json"),
        Assertion("contains", "zz"),
        Assertion("regex", "a"),
        Assertion("python", "len(output) > 1"),
    )
    judged = await judge.judge(case(0, *assertions), Output('{"a": 1}'))
    assert [(one.label, one.passed) for one in judged.findings] == [
        ("is-json", True),
        ("contains", False),
        ("regex", True),
        ("python", True),
    ]


@pytest.mark.parametrize(
    ("code", "threshold", "passed", "score"),
    [
        ("'x' in output", None, True, None),
        ("len(output) / 10", None, True, 0.5),
        ("len(output) / 10", 0.6, False, 0.5),
        ("0", None, False, 0.0),
        ("{'pass': False, 'score': 0.25, 'reason': 'no'}", None, False, 0.25),
        ("context['vars']['want'] == output", None, True, None),
        ("import os\nreturn os.environ.get('QUARTERDECK_SECRET') is None", None, True, None),
        ("print('noise') or True", None, True, None),
        ("1 / 0", None, False, None),
        ("import os\nos._exit(0)", None, None, None),
        ("[]", None, None, None),
        ("while True:\n    pass", None, None, None),
    ],
)
async def test_python_expressions(
    judge: Judge,
    monkeypatch: pytest.MonkeyPatch,
    *,
    code: str,
    threshold: float | None,
    passed: bool | None,
    score: object,
) -> None:
    monkeypatch.setenv("QUARTERDECK_SECRET", "key")
    one = replace(case(0, Assertion("python", code, threshold=threshold)), variables={"want": "xxxxx"})
    (found,) = (await judge.judge(one, Output("xxxxx"))).findings
    assert (found.passed, found.score) == (passed, score)


# ---- what is meant, and what may go on


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("qwen3:8b", LAB),
        ("qwen3:8b@lab", LAB),
        ("lab/qwen3:8b", LAB),
        ("qwen3-32b@prod", PROD),
        ("cloud/atlas", CLOUD),
    ],
)
def test_a_model_is_named_in_three_ways(name: str, meant: Target) -> None:
    assert target(name, fleet_view()) == meant


@pytest.mark.parametrize(
    ("name", "said_", "hint"),
    [
        ("qwen3:9b", "no endpoint has a model 'qwen3:9b'", "qwen3:8b@lab"),
        ("gemma@lab", "lab has no model 'gemma'", "gemma3:12b"),
        ("", "no endpoint has a model ''", "qwen3:8b@lab"),
    ],
)
def test_what_nobody_has_is_said_with_what_may_be_meant(name: str, said_: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        target(name, fleet_view())
    assert said_ in error.value.message
    assert hint in error.value.hint


def test_a_model_of_several_endpoints_needs_one() -> None:
    view = fleet_view()
    twins = replace(view, endpoints=(*view.endpoints, replace(view.endpoints[0], name="lab2")))
    with pytest.raises(UsageError, match="2 endpoints have") as error:
        target("qwen3:8b", twins)
    assert error.value.hint == "Say which: qwen3:8b@lab, qwen3:8b@lab2."
    assert target("qwen3:8b@lab2", twins) == Target("lab2", "qwen3:8b")


def test_ids_are_stable_and_everything_counts() -> None:
    assert made(LAB).pairs == made(LAB).pairs
    ids = {pair.id for what in (made(LAB), made(PROD), made(LAB, repeat=2)) for pair in what.pairs}
    assert len(ids) == 4 + 4 + 4
    warm = plan([case(0)], [LAB], Sampling(temperature=0.5), 1, "salt")
    assert warm.pairs[0].id not in ids


def test_a_run_goes_on_only_as_it_was() -> None:
    before = fingerprint(made(LAB, PROD))
    assert changes(before, fingerprint(made(LAB, PROD))) == []
    assert changes(before, fingerprint(made(LAB, PROD, count=5))) == [
        "the cases (or --system, or the prompt) are not the same"
    ]
    assert changes(before, fingerprint(made(LAB))) == [
        "the models are not the same (they were qwen3:8b@lab, qwen3-32b@prod)"
    ]
    warm = plan([case(number) for number in range(4)], [LAB, PROD], Sampling(temperature=0.5, schema="{}"), 2, "salt")
    assert changes(before, fingerprint(warm)) == [
        "--repeat was 1",
        "temperature was not set",
        "--schema is not the same",
    ]
    assert "{}" not in str(fingerprint(warm))


def test_what_shares_a_machine_is_said() -> None:
    specs = {spec.name: spec for spec in fleet_file().endpoints}
    what = made(LAB, PROD, CLOUD)
    assert groups(what, specs, Order.BY_HOST) == [[0, 1], [2]]
    assert "run on box: asked one after another there" in said(what, specs, Order.BY_HOST)
    assert "slow each other down" in said(what, specs, Order.PARALLEL)
    assert said(what, specs, Order.SERIAL) == ""
    assert said(made(LAB, CLOUD), specs, Order.BY_HOST) == ""
    local = {
        "lab": EndpointSpec("lab", "http://127.0.0.1:1"),
        "prod": EndpointSpec("prod", "http://localhost:2"),
        "cloud": EndpointSpec("cloud", "http://10.0.0.7:1", boundary=Boundary.VPC),
    }
    assert groups(what, local, Order.BY_HOST) == [[0, 1], [2]]
