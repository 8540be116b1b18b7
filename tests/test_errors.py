"""The tree of errors: what catches what, and what each error carries."""

from __future__ import annotations

import inspect
import pickle

import pytest

from tieline import errors

ALL = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, Exception)
]

#: The public contract, section 5.
PARENTS = {
    "WebSocketError": {"Exception"},
    "OptionError": {"WebSocketError", "ValueError"},
    "ConnectError": {"WebSocketError"},
    "ResolveError": {"ConnectError"},
    "ConnectTimeout": {"ConnectError", "TimeoutError"},
    "ConnectCancelled": {"ConnectError"},
    "ProxyError": {"ConnectError"},
    "TLSError": {"ConnectError"},
    "HandshakeError": {"ConnectError"},
    "TooManyRedirects": {"ConnectError"},
    "ConnectionClosed": {"WebSocketError"},
    "ProtocolError": {"WebSocketError"},
    "MessageTooBig": {"WebSocketError"},
    "SendTimeout": {"WebSocketError", "TimeoutError"},
    "SendBufferFull": {"WebSocketError"},
}

TOO_BIG = {"side": "client", "size": 11, "limit": 10, "option": "max_message_size"}
EXTRA = {
    "ConnectTimeout": {"phase": "tls"},
    "SendTimeout": {"accepted": False},
    "MessageTooBig": TOO_BIG,
}


def test_the_tree():
    assert {e.__name__: {b.__name__ for b in e.__bases__} for e in ALL} == PARENTS


def test_the_docstring_draws_every_error():
    for error in ALL:
        assert error.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_error_has_a_text_and_the_seeds_name(error):
    made = error("what was wrong", **EXTRA.get(error.__name__, {}))
    assert str(made) == "what was wrong"
    assert made.err == "WEBSOCKET-ERROR"
    assert error.__doc__


def test_what_errors_carry():
    assert errors.ConnectTimeout("late", phase="dns").phase == "dns"
    assert errors.SendTimeout("late", accepted=True).accepted is True
    assert errors.ProtocolError("bad").close_code == 1002
    assert errors.ProtocolError("bad", 1007).close_code == 1007
    too_big = errors.MessageTooBig("big", **TOO_BIG)
    assert too_big.close_code == 1009
    assert {name: getattr(too_big, name) for name in TOO_BIG} == TOO_BIG
    assert errors.ConnectionClosed("gone").close_info is None
    for error in (errors.HandshakeError, errors.ProxyError, errors.TooManyRedirects):
        assert error("refused").response is None


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_a_process_pool_can_pass_it_on(error):
    made = error("what was wrong", **EXTRA.get(error.__name__, {}))
    restored = pickle.loads(pickle.dumps(made))
    assert type(restored) is error
    assert str(restored) == str(made)
    assert vars(restored) == vars(made)
