"""send_fragments: an iterable's pieces as the frames of one message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.test_sender import Bench
from tests.moments import at_every_moment
from tieline.engine.fragments import send_fragments
from tieline.errors import OptionError, SendTimeout
from tieline.protocol.wire import CloseCode, Opcode


class Session:
    """Notes what it is asked to send."""

    def __init__(self, in_handler: bool = False) -> None:
        self.calls: list[list[tuple[Opcode, bytes, bool]]] = []
        self.failures: list[tuple[Exception, int | None]] = []
        self.is_open = True
        self.is_mid_message = False
        #: Raised once the frames have been taken.
        self.error: BaseException | None = None
        self._in_handler = in_handler

    def in_handler(self) -> bool:
        return self._in_handler

    @property
    def speaker(self) -> Session:
        return self

    @property
    def sender(self) -> Session:
        return self

    def frames(self, frames: list[tuple[Opcode, bytes, bool]]) -> None:
        if not self.is_open:
            raise ConnectionError("closed")
        self.calls.append(frames)
        self.is_mid_message = not frames[-1][2]
        if self.error is not None:
            raise self.error

    def fail(self, error: Exception, code: int | None = None) -> None:
        self.failures.append((error, code))


def send(pieces: Any, session: Session) -> list[tuple[Opcode, bytes, bool]]:
    send_fragments(session, pieces)  # type: ignore[arg-type]
    return [frame for call in session.calls for frame in call]


def test_first_middle_and_last() -> None:
    assert send(["a", "", "ü"], Session()) == [
        (Opcode.TEXT, b"a", False),
        (Opcode.CONTINUATION, b"", False),
        (Opcode.CONTINUATION, "ü".encode(), True),
    ]
    assert send([b"only"], Session()) == [(Opcode.BINARY, b"only", True)]


def test_each_piece_goes_out_as_it_is_made() -> None:
    session = Session()
    seen: list[int] = []

    def pieces() -> Iterator[str]:
        for _ in range(4):
            seen.append(len(session.calls))
            yield "a"

    send(pieces(), session)
    assert seen == [0, 0, 1, 2]


def test_a_buffer_that_is_used_again() -> None:
    def pieces() -> Iterator[bytearray]:
        buffer = bytearray(1)
        for number in b"abc":
            buffer[0] = number
            yield buffer

    assert [frame[1] for frame in send(pieces(), Session())] == [b"a", b"b", b"c"]


def test_a_handler_sends_all_at_once() -> None:
    session = Session(in_handler=True)
    send(["a", "b"], session)
    assert len(session.calls) == 1


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([], "empty iterable"),
        ([1], "fragment is int"),
        (["a", None], "fragment is NoneType"),
        (["a", b"b"], "all str or all bytes"),
        ([["a"]], "fragment is list"),
    ],
)
def test_nothing_was_sent_when_it_fails_at_once(pieces: Any, text: str) -> None:
    session = Session()
    with pytest.raises(OptionError, match=text):
        send(pieces, session)
    assert session.calls == [] and session.failures == []


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), KeyboardInterrupt()])
def test_failing_half_way_fails_the_connection(error: BaseException) -> None:
    def pieces() -> Iterator[str]:
        yield "a"
        yield "b"
        raise error

    session = Session()
    with pytest.raises(type(error)):
        send(pieces(), session)
    ((cause, code),) = session.failures
    assert code == CloseCode.INTERNAL_ERROR
    assert type(error).__name__ in str(cause) and "secret" not in str(cause)


def test_a_connection_that_has_ended_is_not_failed_again() -> None:
    session = Session()

    def pieces() -> Iterator[str]:
        yield "a"
        yield "b"
        session.is_open = False
        yield "c"

    with pytest.raises(ConnectionError):
        send(pieces(), session)
    assert session.failures == []


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SendTimeout("accepted, but not taken", accepted=True)]
)
def test_the_first_frame_went_out_although_frames_raised(error: BaseException) -> None:
    """Nobody could ever send again if the message stayed unfinished."""
    session = Session()
    session.error = error
    with pytest.raises(type(error)):
        send(["a", "b"], session)
    ((_, code),) = session.failures
    assert code == CloseCode.INTERNAL_ERROR


def test_a_message_that_was_completed_is_not_given_up() -> None:
    session = Session()
    session.error = SendTimeout("accepted, but not taken", accepted=True)
    with pytest.raises(SendTimeout):
        send(["only"], session)
    assert session.failures == []


def test_another_message_of_the_callers_is_not_given_up() -> None:
    """One that it sends by hand, or that a signal handler has come on top of."""
    session = Session()
    session.is_mid_message = True
    with pytest.raises(OptionError):
        send(["a", None], session)
    assert session.failures == []


class RealSession(Session):
    """With a sender, and what it would have told a peer."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()

    @property
    def sender(self) -> Any:
        return self.bench.sender

    @property
    def speaker(self) -> Any:
        return self.bench.sender


def test_ctrl_c_leaves_no_half_sent_message_behind() -> None:
    """Whenever it comes: the message is complete, was not begun, or the connection is failed."""
    for session, error in at_every_moment(
        RealSession,
        lambda session: send_fragments(session, ["a", "b", "c"]),  # type: ignore[arg-type]
    ):
        assert isinstance(error, KeyboardInterrupt)
        bench = session.bench
        if not session.failures and bench.sender.error is None:
            assert not bench.outgoing.is_fragmenting
            bench.sender.message(Opcode.TEXT, b"next")
            assert bench.received() in (["abc", "next"], ["next"])
