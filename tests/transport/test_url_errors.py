"""Pointers that are right in what is shown, and that show no secret. Each problem: test_url.py."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.errors import OptionError
from tieline.redact import safe_url
from tieline.transport.url_errors import URLRefusal

RIGHT = "make it right"


def refusal(text, part):
    with pytest.raises(OptionError) as caught:
        URLRefusal("url", text)("it is wrong", RIGHT, part)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "part", "error"),
    [
        ("ws://h:x/", (7, 8), "url 'ws://h:x/': it is wrong: 'x' at position 7; make it right"),
        ("ws://h:x/", None, "url 'ws://h:x/': it is wrong; make it right"),
        ("ws://h:x/", (7, 7), "url 'ws://h:x/': it is wrong at position 7; make it right"),
        # Behind a secret, before it, inside it, over its edges, all of it.
        ("ws://u:hush@h/", (12, 13), "url 'ws://u:***@h/': it is wrong: 'h' at position 11; *"),
        ("ws://u:hush@h/", (5, 6), "url 'ws://u:***@h/': it is wrong: 'u' at position 5; *"),
        ("ws://u:hush@h/", (8, 9), "url 'ws://u:***@h/': it is wrong: '***' at position 7; *"),
        ("ws://u:hush@h/", (5, 9), "url 'ws://u:***@h/': it is wrong: 'u:***' at position 5; *"),
        ("ws://u:hush@h/", (9, 13), "url 'ws://u:***@h/': it is wrong: '***@h' at position 7; *"),
        ("ws://u:hush@h/", (7, 11), "url 'ws://u:***@h/': it is wrong: '***' at position 7; *"),
        ("ws://u:@h/", (8, 9), "url 'ws://u:***@h/': it is wrong: 'h' at position 11; *"),
        # What is escaped is longer in what is shown.
        ("a\n\\b", (3, 4), r"url 'a\n\\b': it is wrong: 'b' at position 5; *"),
        ("a\nb", (1, 2), r"url 'a\nb': it is wrong: '\n' at position 1; *"),
    ],
)
def test_pointers(text, part, error):
    assert refusal(text, part) == error.removesuffix("*").removesuffix(RIGHT) + RIGHT


def test_long_texts_are_cut():
    error = refusal("ws://h/" + "x" * 60_000 + "!", (7, 60_007))
    assert len(error) < 700
    assert "'" + "x" * 64 + "...' at position 7; " in error
    assert f"{'x' * 100}...': it is wrong" in error


@given(st.text(), st.integers(0, 60), st.integers(0, 60), st.sampled_from(["", "ws://u:hush@"]))
def test_what_is_pointed_to_is_in_what_is_shown(text, one, other, begin):
    text = begin + text + "&token=hush&x=1"
    start, end = sorted(min(place, len(text)) for place in (one, other))
    error = refusal(text, (start, end))
    assert "hush" not in error.replace(text.removeprefix(begin), "")
    shown, _, rest = error.removeprefix("url '").partition("': it is wrong")
    found = re.fullmatch(r"(?:: '(.*)')? at position ([0-9]+); make it right", rest)
    if found is not None and "': it is wrong" not in text:
        assert shown[int(found[2]) :].startswith((found[1] or "").removesuffix("..."))
    if text.isprintable() and "\\" not in text:
        assert shown == safe_url(text)
