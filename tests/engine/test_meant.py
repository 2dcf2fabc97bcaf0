"""What a name means where several models are shown by it: files of one name in two folders."""

from __future__ import annotations

import pytest

from fakes import endpoint_view, model, snapshot
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.meant import places
from quarterdeck.engine.wishes import Wish, orders
from quarterdeck.errors import UsageError
from quarterdeck.model.actions import BY_ID
from quarterdeck.tui.verbs.completing import candidates
from quarterdeck.tui.verbs.known import Known
from quarterdeck.tui.verbs.reading import read
from quarterdeck.tui.verbs.table import verbs

ALIKE = endpoint_view(
    "box", engine="llamacpp", models=(model("/old/q.gguf"), model("/new/q.gguf"), model("/new/r.gguf"))
)
SEEN = snapshot(ALIKE)


@pytest.mark.parametrize("on", [[], ["box"]])
def test_of_two_models_of_one_name_none_is_meant(on: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        orders(Wish(BY_ID["unload"], models=["q.gguf"], on=on), FleetConfig(), SEEN)
    assert "2 models of box are called q.gguf" in caught.value.message
    assert "/old/q.gguf, /new/q.gguf" in caught.value.hint


@pytest.mark.parametrize(("name", "meant"), [("/new/q.gguf", "/new/q.gguf"), ("r.gguf", "/new/r.gguf")])
def test_its_path_or_a_name_of_its_own_says_which(name: str, meant: str) -> None:
    assert [found.id for _, found in places(name, None, SEEN)] == [meant]


def test_a_model_that_has_the_name_goes_before_one_that_is_shown_so() -> None:
    both = snapshot(endpoint_view("box", engine="llamacpp", models=(model("/old/q.gguf"), model("q.gguf"))))
    assert [found.id for _, found in places("q.gguf", ["box"], both)] == ["q.gguf"]
    tagged = snapshot(endpoint_view("box", engine="ollama", models=(model("a:latest"), model("a"))))
    assert [found.id for _, found in places("a", ["box"], tagged)] == ["a"]


def test_what_is_offered_can_be_told_apart() -> None:
    found = candidates(read("unload ", verbs("fleet")), Known(SEEN))
    assert [each.text for each in found if each.text.endswith(".gguf")] == ["/old/q.gguf", "/new/q.gguf", "r.gguf"]
