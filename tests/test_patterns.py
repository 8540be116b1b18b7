"""A pattern is compiled when it is used, and is then what `re` makes of it."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from tieline.patterns import pattern


def test_it_finds_what_re_finds() -> None:
    word = pattern(r"(?P<first>[a-z])[a-z]*+", re.IGNORECASE)

    found = word.match("Hello you")
    assert found is not None and found["first"] == "H"
    assert word.fullmatch("Hello you") is None
    assert word.findall("Hello you") == ["H", "y"]
    assert word.sub("-", "Hello you") == "- -"
    assert word.split("1a2") == ["1", "a", "2"]
    assert word.groupindex == {"first": 1}
    assert pattern(b"[0-9]+").match(b"12") is not None


def test_it_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    number = pattern("[0-9]+")
    assert number.match("1")
    monkeypatch.setattr(re, "compile", None)
    assert number.match("2")


def test_what_is_no_pattern_says_so_when_it_is_used() -> None:
    with pytest.raises(re.error):
        pattern("(").match("")
    with pytest.raises(AttributeError, match="no_such_name"):
        pattern("a").no_such_name  # type: ignore[attr-defined]  # noqa: B018


def test_it_can_be_copied_and_pickled_and_shown() -> None:
    letter = pattern("[a-z]")
    for same in (copy.deepcopy(letter), pickle.loads(pickle.dumps(letter))):
        assert same.match("a")
    assert repr(letter) == "<pattern '[a-z]'>"
