"""A refusal names option, type and what is accepted; its text is short and holds no secret."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from tests.refusals import NO_SECONDS, SECRET, Stranger, assert_silent
from tieline import option_checks as check
from tieline.errors import OptionError


def refusal(accepts: check.Check, value: object) -> str:
    with pytest.raises(OptionError) as caught:
        accepts.apply("some_option", value)
    assert_silent(caught.value)
    return str(caught.value)


def test_a_refusal_names_option_expectation_type_value_and_advice() -> None:
    assert refusal(check.seconds("off"), 0) == (
        "option 'some_option': expected seconds, an int or float above 0, or None (off); "
        "got int (0). Use None to turn it off."
    )


def test_handlers_cannot_run_in_other_processes() -> None:
    with ProcessPoolExecutor(1) as processes:
        text = refusal(check.executor(), processes)
    assert text.endswith(
        "got ProcessPoolExecutor. "
        "Handlers run in this process; they may hand their work to the pool."
    )
    with ThreadPoolExecutor(1) as threads:
        assert check.executor().apply("some_option", threads) is threads


def test_a_refusal_leads_to_no_other_error() -> None:
    """What a check raised on the way is not part of the traceback, nor kept alive by it."""
    with pytest.raises(OptionError) as caught:
        check.whole(1).apply("some_option", "many")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("value", [SECRET, SECRET.encode(), [SECRET], {SECRET: SECRET}])
def test_a_secret_check_shows_the_type_alone(value: object) -> None:
    refuses = check.Check("nothing", check.boolean().convert, secret=True)
    assert refusal(refuses, value) == (
        f"option 'some_option': expected nothing; got {type(value).__name__}"
    )


def test_an_error_from_further_down_gets_the_options_name() -> None:
    def convert(value: Any) -> object:
        raise OptionError("header 'X' is not valid")

    assert refusal(check.Check("headers", convert), 1) == (
        "option 'some_option': header 'X' is not valid"
    )


@pytest.mark.parametrize(
    "value, text",
    [
        (True, " (True)"),
        (-3, " (-3)"),
        (1.5, " (1.5)"),
        ("it's", ' ("it\'s")'),
        (f"ws://joe:{SECRET}@h/?token={SECRET}", " ('ws://joe:***@h/?token=***')"),
        ("x" * 81, f" ({'x' * 80!r}... of length 81)"),
        (2**500, " (of 501 bits)"),
        (None, ""),
        (SECRET.encode(), ""),
        ([SECRET], ""),
        (Stranger(), ""),
    ],
)
def test_only_numbers_and_text_are_shown(value: object, text: str) -> None:
    assert check.shown(value) == text


def test_a_users_kind_of_number_or_text_is_not_asked() -> None:
    number = type("Number", (int,), {"__repr__": Stranger.__repr__})
    text = type("Text", (str,), {"__repr__": Stranger.__repr__})
    assert check.shown(number(3)) == check.shown(text("a")) == ""


def test_a_number_may_come_from_another_package() -> None:
    class Index:
        def __index__(self) -> int:
            return 7

    stored = check.whole(1).apply("some_option", Index())
    assert (stored, type(stored)) == (7, int)


@pytest.mark.parametrize("bound", [check.MAX_SECONDS, 1e-9])
def test_time_spans_up_to_their_bounds(bound: float) -> None:
    assert check.seconds().apply("some_option", bound) == bound


def test_a_time_span_beyond_what_can_be_waited_is_refused() -> None:
    text = refusal(check.seconds("never"), check.MAX_SECONDS + 1)
    assert "24 days" in text and "None: never" in text
    # What the bound is for: a C int of milliseconds.
    assert check.MAX_SECONDS * 1000 < 2**31


@pytest.mark.parametrize("least, most", [(0, 10), (1, 65535)])
def test_whole_numbers_between_their_bounds(least: int, most: int) -> None:
    accepts = check.whole(least, most=most)
    assert [accepts.apply("n", number) for number in (least, most)] == [least, most]
    for outside in (least - 1, most + 1):
        assert f"from {least} to {most}" in refusal(accepts, outside)


def test_items_are_those_of_any_iterable_but_text() -> None:
    assert check.items(None) == ()
    assert check.items(iter("ab")) == ("a", "b")
    for text in ("ab", b"ab", bytearray(b"ab"), 7):
        with pytest.raises(check.Refused):
            check.items(text)


def test_pem_is_stored_as_text_and_der_as_bytes() -> None:
    accepts = check.pem_or_der("a key")
    pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n"
    assert accepts.apply("key", memoryview(pem.encode())) == pem
    assert accepts.apply("key", b"\n" + pem.encode()) == "\n" + pem
    # Bytes that only begin like PEM are no text, and may be anything.
    assert accepts.apply("key", pem.encode() + b"\xff") == pem.encode() + b"\xff"
    assert "_path" in refusal(accepts, SECRET)


@pytest.mark.parametrize("value", [*NO_SECONDS, None])
def test_what_is_no_number_of_seconds(value: object) -> None:
    with pytest.raises(OptionError, match="timeout: expected seconds") as caught:
        check.check_seconds("timeout", value)
    assert len(str(caught.value)) < 200


def test_seconds_that_nothing_can_print() -> None:
    with pytest.raises(OptionError, match="of 16610 bits"):
        check.check_seconds("timeout", 10**5000)


def test_seconds_of_a_method() -> None:
    assert check.check_seconds("timeout", 5) == 5.0
