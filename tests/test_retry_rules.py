"""Which failures and which ends are worth another attempt, and what a server may ask for."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tieline.errors as errors
from tests.causes import RESET, WALL, answered, date, ended
from tieline.errors import HandshakeError, OptionError, ProxyError, TLSError, WebSocketError
from tieline.protocol.wire import CloseCode
from tieline.retry_rules import default_retry, retry_after

RETRIED_CODES = {1001, 1005, 1006, 1011, 1012, 1013, 1014}


@pytest.mark.parametrize("code", [*range(1000, 1017), 2999, 3000, 3999, 4000, 4999])
def test_close_codes(code: int) -> None:
    assert default_retry(ended(code)) is (code in RETRIED_CODES)


def test_every_code_of_the_rfc_has_been_thought_of() -> None:
    assert {code for code in CloseCode if default_retry(ended(code))} == RETRIED_CODES


@pytest.mark.parametrize("initiator", ["remote", "local", "none"])
def test_a_dead_link_is_dialled_again(initiator: str) -> None:
    for error in (EOFError("no Close"), RESET, TimeoutError("no Pong"), OSError("?")):
        assert default_retry(ended(1006, error, initiator)) is True


@pytest.mark.parametrize("code", [1001, 1002, 1006, 1009])
def test_who_broke_a_rule_would_do_so_again(code: int) -> None:
    """Also when the peer never answered the Close that said so."""
    too_big = errors.MessageTooBig("m", side="client", size=2, limit=1, option="max_message_size")
    assert default_retry(ended(code, errors.ProtocolError("bad opcode"), "local")) is False
    assert default_retry(ended(code, too_big, "local")) is False


@pytest.mark.parametrize("kind", [HandshakeError, ProxyError])
def test_statuses(kind: type[Exception]) -> None:
    retried = {status for status in range(100, 700) if default_retry(answered(status, kind=kind))}
    assert retried == {408, 425, 429, *range(500, 600)}
    assert default_retry(kind("it broke off without an answer")) is True


ERRORS: list[tuple[Exception, bool]] = [
    (WebSocketError("?"), True),
    (OptionError("?"), False),
    (errors.ConnectError("refused"), True),
    (errors.ResolveError("no such name"), True),
    (errors.ResolveError("an address of the other family", refused=True), False),
    (errors.ConnectTimeout("late", phase="tcp"), True),
    (errors.ConnectCancelled("cancelled"), False),
    (ProxyError("cannot be reached"), True),
    (ProxyError("not allowed by ruleset", refused=True), False),
    (TLSError("not trusted"), False),
    (TLSError("broke off", refused=False), True),
    (HandshakeError("no answer"), True),
    (HandshakeError("what it says is no HTTP"), True),
    (errors.TooManyRedirects("6"), False),
    (errors.ConnectionClosed("over"), True),
    (errors.ConnectionClosed("over", ended(1012)), True),
    (errors.ConnectionClosed("over", ended(1008)), False),
    (errors.ProtocolError("bad opcode"), False),
    (errors.MessageTooBig("m", side="client", size=2, limit=1, option="o"), False),
    (errors.SendTimeout("late", accepted=False), True),
    (errors.SendBufferFull("full"), True),
    # What a user's own callables raise: a token service that is down, for one.
    (OSError("down"), True),
    (ValueError("what"), True),
    (TimeoutError(), True),
]


@pytest.mark.parametrize(("error", "retried"), ERRORS)
def test_errors(error: Exception, retried: bool) -> None:
    assert default_retry(error) is retried
    assert default_retry(pickle.loads(pickle.dumps(error))) is retried


def test_every_error_of_the_package_has_been_thought_of() -> None:
    known = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert known <= {type(error) for error, _ in ERRORS}


# --- Retry-After


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120\t", 120.0),
        ("1.5", 1.5),
        ("9" * 5000, float("inf")),
        ("-5", 0.0),
        ("+5", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("1e3", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("١٢", 0.0),
        ("1, 2", 0.0),
        (date(90), 90.0),
        (date(-90), 0.0),
        (date(10**9), 1e9),
        ("Sunday, 11-Oct-26 12:01:30 GMT", 90.0),
        ("Sun Oct 11 12:01:30 2026", 90.0),
        ("Sun, 11 Oct 2026 14:01:30 +0200", 90.0),
        ("Sun, 11 Oct 2026 12:01:30 -0000", 90.0),
        ("Sun, 99 Oct 2026 12:01:30 GMT", 0.0),
        ("Sun, 11 Oct 99999 12:01:30 GMT", 0.0),
        ("Sun, 11 Oct 2026 12:01:30 +99999999999999999999", 0.0),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    assert retry_after(answered(503, ("Retry-After", text)), WALL) == seconds
    assert retry_after(answered(503, ("retry-after", text), kind=ProxyError), WALL) == seconds


@pytest.mark.parametrize("wrong_by", [-10 * 365 * 86400.0, -3600.0, 3600.0, 10 * 365 * 86400.0])
def test_a_date_is_measured_by_the_servers_own_clock(wrong_by: float) -> None:
    refusal = answered(429, ("Date", date(0)), ("Retry-After", date(60)))
    assert retry_after(refusal, WALL + wrong_by) == 60.0
    garbled = answered(429, ("Date", "today"), ("Retry-After", date(60)))
    assert retry_after(garbled, WALL) == 60.0


def test_of_several_the_longest_counts() -> None:
    assert retry_after(answered(503, ("Retry-After", "5"), ("Retry-After", "70")), WALL) == 70.0


def test_only_an_answer_can_ask_for_a_wait() -> None:
    class FromElsewhere(Exception):
        response = {"retry-after": "5"}

    for cause in (RESET, ended(1013), HandshakeError("no answer"), answered(503), FromElsewhere()):
        assert retry_after(cause, WALL) == 0.0


@given(st.one_of(st.text(max_size=60), st.from_regex(r"[A-Z][a-z]{2}, [0-9a-zA-Z :,+-]{0,40}")))
def test_whatever_a_server_writes_is_a_wait(text: str) -> None:
    assert retry_after(answered(503, ("Retry-After", text), ("Date", text)), WALL) >= 0.0
