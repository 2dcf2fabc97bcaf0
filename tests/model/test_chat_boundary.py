"""What may be sent where: every rule, boundary, mix and file."""

from __future__ import annotations

from itertools import product

import pytest

from quarterdeck.model.chat.boundary import Policy, Rule, covers, crossing
from quarterdeck.model.fleet import Boundary

STRICTNESS = [Rule.ALLOW, Rule.ASK, Rule.NEVER]


@pytest.mark.parametrize(("external", "boundary", "mixed"), product(Rule, Boundary, (True, False)))
def test_without_files(external: Rule, boundary: Boundary, mixed: bool) -> None:
    verdict = crossing(Policy(external), boundary, mixed=mixed)
    if boundary is not Boundary.EXTERNAL:
        assert verdict.rule is Rule.ALLOW
    elif external is Rule.ASK:
        assert verdict.rule is (Rule.ASK if mixed else Rule.ALLOW)
    else:
        assert verdict.rule is external
    assert verdict.rule is Rule.ALLOW or verdict.reason


@pytest.mark.parametrize(("external", "of_path", "mixed"), product(Rule, Rule, (True, False)))
def test_a_file_makes_it_stricter_never_laxer(external: Rule, of_path: Rule, mixed: bool) -> None:
    policy = Policy(external, (("/home/me/work", of_path),))
    without = crossing(policy, Boundary.EXTERNAL, mixed=mixed)
    found = crossing(policy, Boundary.EXTERNAL, mixed=mixed, files=["/home/me/work/a/b.py"])
    assert found.rule is max(without.rule, of_path, key=STRICTNESS.index)
    assert crossing(policy, Boundary.EXTERNAL, mixed=mixed, files=["/home/me/other.py"]) == without
    assert crossing(policy, Boundary.VPC, mixed=mixed, files=["/home/me/work/a/b.py"]).rule is Rule.ALLOW


@pytest.mark.parametrize(
    ("glob", "path", "covered"),
    [
        ("/w", "/w", True),
        ("/w", "/w/x/y", True),
        ("/w/", "/w/x", True),
        ("/w", "/wx", False),
        ("/w/**", "/w/x/y", True),
        ("/w/*.key", "/w/a.key", True),
        ("/w/*.key", "/w/deep/a.key", True),
        ("*.pem", "/home/a.pem", True),
        ("/w/*.key", "/v/a.key", False),
    ],
)
def test_globs(glob: str, path: str, covered: bool) -> None:
    assert covers(glob, path) is covered
