"""Which sink is told what, and when. Pure."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine.notifying.deciding import LOST_S, ToldOf, decide
from quarterdeck.engine.notifying.notice import CLEARED, RAISED, REPEATED, Notice, document, fits, line, trial
from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity

NOW = 1_795_370_400.0
SINK = SinkSpec("s", bell=True)


def alert(
    subject: str = "vllm-a", rule: str = "down", severity: Severity = Severity.CRITICAL, at: float = NOW
) -> Alert:
    return Alert(
        f"{rule} {subject}", rule, severity, subject, "DOWN: refused", at - 5, at, ("now: DOWN",), host="gpu-1"
    )


def over(one: Alert, at: float) -> Alert:
    return replace(one, cleared_at=at, ending="it answers")


def told(one: Alert, at: float = NOW) -> dict[str, ToldOf]:
    return {one.key: ToldOf(one, at)}


def words(notices: tuple[Notice, ...]) -> list[str]:
    return [notice.word for notice in notices]


def test_raised_once_and_cleared_once() -> None:
    first = decide(SINK, {}, [alert()], NOW)
    assert words(first.notices) == [RAISED]
    again = decide(SINK, first.told, [replace(alert(), what="DOWN: no answer")], NOW + 100)
    assert again.notices == ()
    end = decide(SINK, again.told, [over(alert(), NOW + 200)], NOW + 201)
    assert words(end.notices) == [CLEARED]
    assert end.told == {}
    assert decide(SINK, end.told, [over(alert(), NOW + 200)], NOW + 300).notices == ()
    back = decide(SINK, end.told, [alert(at=NOW + 400), over(alert(), NOW + 200)], NOW + 400)
    assert words(back.notices) == [RAISED]


def test_it_fits_by_severity_rule_and_subject() -> None:
    warning = alert(severity=Severity.WARNING)
    assert fits(SINK, warning)
    assert not fits(replace(SINK, severity="critical"), warning)
    assert fits(replace(SINK, severity="critical"), alert())
    assert fits(replace(SINK, rules=("st*", "do*")), alert())
    assert not fits(replace(SINK, rules=("st*",)), alert())
    assert fits(replace(SINK, subjects=("vllm-?",)), alert())
    assert fits(replace(SINK, subjects=("gpu-1",)), alert())  # by its machine, too
    assert not fits(replace(SINK, subjects=("gpu",)), alert())
    assert decide(replace(SINK, rules=("x",)), {}, [alert()], NOW).notices == ()


def test_what_is_silent_or_seen_is_not_told_until_it_isn_t() -> None:
    silent = replace(alert(), silenced_until=NOW + 60)
    assert decide(SINK, {}, [silent], NOW).notices == ()
    assert words(decide(SINK, {}, [silent], NOW + 61).notices) == [RAISED]
    assert decide(SINK, {}, [over(alert(), NOW + 10)], NOW + 10).notices == ()  # nobody was told that it began
    seen = replace(alert(), acknowledged=Acknowledged(NOW, "ana"))
    assert decide(SINK, {}, [seen], NOW).notices == ()
    repeating = replace(SINK, repeat=60.0)
    assert words(decide(repeating, told(alert()), [alert()], NOW + 60).notices) == [REPEATED]
    assert decide(repeating, told(alert()), [alert()], NOW + 59).notices == ()
    assert decide(repeating, told(alert()), [seen], NOW + 600).notices == ()
    assert decide(repeating, told(alert()), [silent], NOW + 59).notices == ()
    first = decide(repeating, told(alert()), [alert()], NOW + 60)
    assert decide(repeating, first.told, [alert()], NOW + 119).notices == ()


def test_some_don_t_want_to_know_that_it_is_over() -> None:
    quiet = replace(SINK, resolved=False)
    end = decide(quiet, told(alert()), [over(alert(), NOW + 9)], NOW + 10)
    assert (end.told, end.notices) == ({}, ())


def test_who_takes_over_neither_repeats_nor_forgets() -> None:
    known = told(alert())
    assert decide(SINK, known, [alert()], NOW + 9).notices == ()  # the same one: it was raised before they were told
    assert words(decide(SINK, known, [alert(at=NOW + 5)], NOW + 9).notices) == [RAISED]  # another one
    # It takes a rule's time until a new program raises what is open: that is no end.
    waiting = decide(SINK, known, [], NOW + 10)
    assert waiting.notices == ()
    back = decide(SINK, waiting.told, [alert()], NOW + 70)
    assert back.notices == ()
    assert decide(SINK, back.told, [], NOW + 10 + LOST_S + 1).notices == ()  # the time it was missing counts from anew
    gone = decide(SINK, waiting.told, [], NOW + 10 + LOST_S)
    assert words(gone.notices) == [CLEARED]
    assert gone.notices[0].alert.ending == "it is not watched any more"
    assert gone.told == {}


@given(
    st.lists(
        st.tuples(st.sampled_from(["open", "over", "absent"]), st.integers(0, 400), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_raised_and_cleared_take_turns(steps: list[tuple[str, int, bool]]) -> None:
    """Whatever comes: a sink hears of an end only after a beginning, and never of two beginnings of one alert."""
    state: dict[str, ToldOf] = {}
    now, raised, heard = NOW, NOW, list[str]()
    was_open = False
    for how, later, silent in steps:
        now += later
        raised = raised if was_open else now
        was_open = how == "open" or (how == "absent" and was_open)
        one = alert(at=raised)
        shown = {
            "open": [replace(one, silenced_until=now + 5 if silent else None)],
            "over": [over(one, now)],
            "absent": [],
        }
        decision = decide(SINK, state, shown[how], now)
        heard += words(decision.notices)
        state = dict(decision.told)
    for first, second in pairwise(heard):
        assert (first, second) != (CLEARED, CLEARED)
    assert heard[:1] in ([], [RAISED])


def test_the_document_says_all_and_is_json() -> None:
    told_of = replace(alert(), acknowledged=Acknowledged(NOW, "ana", "mine"), silenced_until=NOW + 60)
    made = document(Notice(RAISED, told_of, NOW), "pager", "box")
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["text"] == "CRITICAL vllm-a: DOWN: refused"
    assert (made["event"], made["test"], made["sink"], made["machine"]) == ("raised", False, "pager", "box")
    assert made["alert"]["raised_at"] == "2026-11-22T18:00:00+00:00"
    assert made["alert"]["cleared_at"] is None
    assert set(made["alert"]) >= {"key", "rule", "severity", "subject", "what", "since", "evidence", "cause", "advice"}
    # The same thing said again has the same number; another word about it has another one.
    assert document(Notice(RAISED, told_of, NOW + 99), "other", "box")["id"] == made["id"]
    assert document(Notice(CLEARED, over(told_of, NOW), NOW), "pager", "box")["id"] != made["id"]
    first, second = (document(Notice(REPEATED, told_of, NOW + each), "pager", "box")["id"] for each in (1, 2))
    assert first != second


def test_lines() -> None:
    assert line(Notice(REPEATED, alert(), NOW)) == "CRITICAL vllm-a: DOWN: refused (still)"
    assert line(Notice(CLEARED, over(alert(), NOW), NOW)) == "over vllm-a: it answers"
    assert line(Notice(RAISED, trial(NOW), NOW, test=True)).startswith("TEST CRITICAL quarterdeck: a test")
