"""RFC 6455 section 7: deadlines of the closing handshake, and what is told of the end."""

from __future__ import annotations

import pytest

from tieline.protocol.closing import LINGER, Closing, unanswered
from tieline.protocol.events import Close

BYE = Close(1000, "bye")


def test_before_it_begins_nothing_is_due() -> None:
    closing = Closing(10.0)
    assert closing.deadline is None
    assert not closing.is_settled


def test_the_peer_has_close_timeout_to_answer() -> None:
    closing = Closing(10.0)
    closing.begin("local", 100.0)
    assert closing.deadline == 110.0
    assert str(closing.timed_out()) == (
        "the peer did not answer the Close frame within close_timeout=10 s"
    )
    assert isinstance(closing.timed_out(), TimeoutError)


def test_who_closes_may_wait_for_less_than_that() -> None:
    assert str(unanswered(0.25)) == "no answer to the Close frame was read within 0.25 s"


def test_without_a_limit_it_may_take_for_ever() -> None:
    closing = Closing(None)
    closing.begin("local", 100.0)
    assert closing.deadline is None


@pytest.mark.parametrize(
    ("close_timeout", "deadline"), [(None, 105 + LINGER), (10.0, 105 + LINGER), (6.0, 106.0)]
)
def test_once_all_is_said_the_end_of_the_stream_is_not_awaited_for_long(
    close_timeout: float | None, deadline: float
) -> None:
    closing = Closing(close_timeout)
    closing.begin("local", 100.0)
    closing.linger(105.0)
    assert closing.deadline == deadline


@pytest.mark.parametrize("said", ["received", "error"])
def test_a_settled_end_is_no_error(said: str) -> None:
    closing = Closing(10.0)
    closing.begin("local", 100.0)
    closing.sent = BYE
    setattr(closing, said, BYE if said == "received" else ValueError("broken"))
    assert closing.is_settled
    assert closing.timed_out() is None
    assert closing.stream_ended() is None


def test_the_stream_ends_without_a_close() -> None:
    error = Closing(10.0).stream_ended()
    assert isinstance(error, EOFError)
    assert str(error) == "the peer ended the connection without a Close frame"


def test_the_stream_ends_without_an_answer() -> None:
    closing = Closing(10.0)
    closing.begin("local", 100.0)
    closing.sent = BYE
    error = closing.stream_ended()
    assert isinstance(error, EOFError)
    assert str(error) == "the peer ended the connection without answering the Close frame"


def test_nothing_was_said() -> None:
    info = Closing(10.0).info()
    assert (info.code, info.reason, info.sent, info.received) == (1006, "", None, None)
    assert (info.clean, info.initiator, info.error) == (False, "none", None)


def test_both_closes() -> None:
    closing = Closing(10.0)
    closing.begin("remote", 100.0)
    closing.sent, closing.received = Close(1000, ""), BYE
    info = closing.info()
    assert (info.code, info.reason, info.clean, info.initiator) == (1000, "bye", True, "remote")


@pytest.mark.parametrize("error", [None, ValueError("broken")])
def test_one_close_is_not_clean(error: Exception | None) -> None:
    closing = Closing(10.0)
    closing.begin("local", 100.0)
    closing.sent, closing.error = BYE, error
    info = closing.info()
    assert (info.code, info.clean, info.sent, info.error) == (1006, False, BYE, error)


def test_a_broken_rule_is_not_clean_even_with_both_closes() -> None:
    closing = Closing(10.0)
    closing.begin("local", 100.0)
    closing.sent, closing.received, closing.error = BYE, BYE, ValueError("broken")
    assert not closing.info().clean
