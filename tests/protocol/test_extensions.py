"""The grammar of Sec-WebSocket-Extensions (RFC 6455 section 9.1), and its way back to text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tieline.protocol.extensions import Extension, parse_extensions

TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

tokens = st.text(TOKEN_CHARACTERS, min_size=1, max_size=8)
extensions = st.builds(
    Extension,
    tokens,
    st.lists(st.tuples(tokens, st.none() | tokens), max_size=4).map(tuple),
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # the examples of RFC 6455 section 9.1
        (["foo"], [Extension("foo")]),
        (["bar; baz=2"], [Extension("bar", (("baz", "2"),))]),
        (["foo", "bar; baz=2"], [Extension("foo"), Extension("bar", (("baz", "2"),))]),
        (["foo, bar; baz=2"], [Extension("foo"), Extension("bar", (("baz", "2"),))]),
        (
            ["deflate-stream", "mux; max-channels=4; flow-control, deflate-stream"],
            [
                Extension("deflate-stream"),
                Extension("mux", (("max-channels", "4"), ("flow-control", None))),
                Extension("deflate-stream"),
            ],
        ),
        (["private-extension"], [Extension("private-extension")]),
        # of RFC 7692 section 7.1.2.1
        (['a; bits="10"'], [Extension("a", (("bits", "10"),))]),
        # quotes
        ([r'a; b="\1\0"'], [Extension("a", (("b", "10"),))]),
        ([r'a; b="x", c'], [Extension("a", (("b", "x"),)), Extension("c")]),
        # order and doubles stay, for whoever judges them
        (["a; b; c=1; b=2"], [Extension("a", (("b", None), ("c", "1"), ("b", "2")))]),
        (["a, a"], [Extension("a"), Extension("a")]),
        # an apostrophe is no quote
        (["a; b='1,2'"], [Extension("a", (("b", "'1"),)), Extension("2'")]),
        # case stays as well
        (["A; B=C"], [Extension("A", (("B", "C"),))]),
        # spaces and tabs
        ([" a\t;\tb = 1 , c "], [Extension("a", (("b", "1"),)), Extension("c")]),
        (["a;b=1,c"], [Extension("a", (("b", "1"),)), Extension("c")]),
        # empty elements
        ([], []),
        (["", " \t"], []),
        (["a,, ,b,"], [Extension("a"), Extension("b")]),
        ([",a"], [Extension("a")]),
        ([","], []),
    ],
)
def test_read(values: list[str], expected: list[Extension]) -> None:
    assert parse_extensions(values) == expected


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (";", "an extension's name, got ';' at character 1"),
        ("=", "an extension's name"),
        ("a b", "',' or ';', got 'b' at character 3"),
        ("a=1", "',' or ';', got '=1' at character 2"),
        ("a;", "a parameter's name, got its end at character 3"),
        ("a; ;b", "a parameter's name"),
        ("a; ,b", "a parameter's name"),
        ("a; b=", "a value, got its end"),
        ("a; b=; c", "a value"),
        ("a; =1", "a parameter's name"),
        ("a; b=1=2", "',' or ';'"),
        ("a; b=1 2", "',' or ';'"),
        ('a; b="', "a token in quotes"),
        ('a; b="10', "a token in quotes"),
        ('a; b=""', "a token in quotes"),
        ('a; b="1 2"', "a token in quotes"),
        ('a; b="1,2"', "a token in quotes"),
        ('a; b="1\\"2"', "a token in quotes"),
        ('a; b="10"c', "',' or ';', got 'c'"),
        ('"a"', "an extension's name"),
        ('a; "b"', "a parameter's name"),
        ("a(b)", "',' or ';'"),
        ("a\x00", "',' or ';'"),
        ("a\xa0", "',' or ';'"),  # not a space to HTTP
        ("é", "an extension's name"),
        ("a; b=é", "a value"),
    ],
)
def test_malformed(value: str, says: str) -> None:
    for values in ([value], ["fine; a=1", value], [value, "fine"]):
        with pytest.raises(ValueError, match="RFC 6455 section 9.1") as caught:
            parse_extensions(values)
        assert str(caught.value).startswith("Sec-WebSocket-Extensions: expected ")
        assert says in str(caught.value)


def test_the_error_is_short() -> None:
    with pytest.raises(ValueError) as caught:
        parse_extensions(["a " + "x" * 60_000])
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("piece", [" ", "\t", ",", "a,", "a;b,", "a; ", '"', '\\"', "=", 'a;b="\\'])
def test_long_values_take_no_long_time(piece: str) -> None:
    """The size is what a head may have; going back and forth in it would take minutes."""
    try:
        parse_extensions([piece * (65_536 // len(piece))])
    except ValueError:
        pass


@given(st.lists(st.lists(extensions, max_size=3), max_size=3))
def test_the_way_back(lines: list[list[Extension]]) -> None:
    values = [", ".join(map(str, line)) for line in lines]
    assert parse_extensions(values) == [extension for line in lines for extension in line]


@given(tokens, tokens, st.data())
def test_quotes_change_nothing(name: str, value: str, data: st.DataObject) -> None:
    escaped = "".join(
        "\\" + character if data.draw(st.booleans()) else character for character in value
    )
    assert parse_extensions([f'{name}; a="{escaped}"']) == [Extension(name, (("a", value),))]


@given(st.lists(st.text() | st.text('ab;,=" \\\t1'), max_size=3))
def test_whatever_comes_is_read_or_refused(values: list[str]) -> None:
    try:
        found = parse_extensions(values)
    except ValueError:
        return
    assert parse_extensions([", ".join(map(str, found))]) == found
