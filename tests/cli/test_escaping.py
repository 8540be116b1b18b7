"""Which characters reach a terminal, and how the others are spelt."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.cli.escaping import escape, escape_json

#: All that ECMA-48 and UAX 9 give power over the characters beside them.
POWERFUL = [
    *map(chr, range(0x20)),
    "\x7f",
    *map(chr, range(0x80, 0xA0)),
    *"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    *"\u2028\u2029\ufeff\U000e0041",
]


@pytest.mark.parametrize("character", POWERFUL, ids=lambda character: f"U+{ord(character):04X}")
def test_powerful_characters_are_spelt_out(character: str) -> None:
    assert escape(f"a{character}b").isprintable()
    assert escape_json(f"a{character}b").isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "Grüße, 世界",
        "👩\u200d🚀",
        "می\u200cخواهم",
        "a\u00a0b",
        "co\u00adoperate",
        "",
        "\\x1b",
    ],
)
def test_other_text_is_shown_as_it_is(text: str) -> None:
    assert escape(text) == text
    assert escape_json(text) == text


def test_the_spelling_is_that_of_python_and_of_json() -> None:
    assert escape("\x1b[31m\r\n\t\x9b\u202e\U000e0041") == (r"\x1b[31m\r\n\t\x9b\u202e\U000e0041")
    assert escape_json("\x7f\x9b\U000e0041") == r"\u007f\u009b\udb40\udc41"


@given(st.text())
def test_escaped_json_has_the_same_value(text: str) -> None:
    assert json.loads(escape_json(json.dumps(text, ensure_ascii=False))) == text
