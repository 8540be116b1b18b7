"""Errors of sends: what became of the message, and what to do."""

from __future__ import annotations

from tieline.engine import send_errors


def test_what_was_accepted_is_not_to_be_sent_again() -> None:
    error = send_errors.not_taken(5, 1000, 15)
    assert error.accepted
    for text in ("5 bytes", "timeout=15 s", "1000 bytes", "do not send the message again"):
        assert text in str(error)


def test_what_was_not_sent() -> None:
    for error in (send_errors.no_room(1000, 64, 1.5), send_errors.buffer_full(1000, 64)):
        assert not getattr(error, "accepted", False)
        for text in ("1000 bytes", "write_limit=64", "Nothing of this message was sent"):
            assert text in str(error)


def test_whom_one_waits_for() -> None:
    assert "the peer does not read" in str(send_errors.no_room(64, 64, 1))
    for waiting in (0, 63):
        error = send_errors.no_room(waiting, 64, 1.5)
        assert "fragments" in str(error) and "timeout=1.5 s" in str(error)
        assert "Nothing of this message was sent" in str(error) and not error.accepted
