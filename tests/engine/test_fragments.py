"""send_fragments: an iterable's pieces as the frames of one message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.engine.test_sender import Bench
from tests.moments import at_every_moment
from tieline.engine.fragments import (
    IN_PIECES,
    Fragments,
    send_fragments,
    send_message,
    send_whole,
)
from tieline.engine.unsent import Unsent
from tieline.errors import OptionError, SendTimeout
from tieline.protocol.big_frame import BIG
from tieline.protocol.wire import CloseCode, Opcode


class Session:
    """Notes what it is asked to send."""

    def __init__(self, in_handler: bool = False) -> None:
        self.calls: list[list[tuple[Opcode, bytes, bool]]] = []
        self.failures: list[tuple[Exception, int | None]] = []
        self.is_open = True
        self.is_mid_message = False
        #: Raised once the frames have been taken: by one call after the other, then by all.
        self.errors: list[BaseException | None] = []
        self.error: BaseException | None = None
        self.has_compression = True
        #: What was said about compression, and about waiting.
        self.choices: list[Any] = []
        #: What was to be noted with each call.
        self.noted: list[Any] = []
        self._in_handler = in_handler

    def in_handler(self) -> bool:
        return self._in_handler

    @property
    def speaker(self) -> Session:
        return self

    @property
    def sender(self) -> Session:
        return self

    def frames(
        self,
        frames: list[tuple[Opcode, Any, bool]],
        compress: bool = False,
        *,
        waits: bool = True,
        unsent: Any = None,
    ) -> None:
        if not self.is_open:
            raise ConnectionError("closed")
        error = self.errors.pop(0) if self.errors else self.error
        if not isinstance(error, SendTimeout) or error.accepted:
            self.calls.append([(opcode, bytes(data), fin) for opcode, data, fin in frames])
            self.choices.append((compress, waits))
            self.noted.append(unsent)
            self.is_mid_message = not frames[-1][2]
        if error is not None:
            raise error

    def message(
        self, opcode: Opcode, payload: Any, compress: bool | None = None, unsent: Any = None
    ) -> None:
        self.calls.append([(opcode, bytes(payload), True)])
        self.choices.append(compress)
        self.noted.append(unsent)

    def compresses(self, size: int, compress: bool | None) -> bool:
        return self.has_compression and compress is not False

    def check_compression(self, compress: bool | None) -> None:
        if compress and not self.has_compression:
            raise OptionError("compress=True: no compression was negotiated on this connection")

    def not_taken(self, size: int) -> SendTimeout:
        return SendTimeout(f"{size} bytes", accepted=True)

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
    """A peer that answers a piece gets to see it before the next one is asked for."""
    session = Session()
    seen: list[int] = []

    def pieces() -> Iterator[str]:
        for number in range(3):
            seen.append(len(session.calls))
            yield str(number)

    assert send(pieces(), session) == [
        (Opcode.TEXT, b"0", False),
        (Opcode.CONTINUATION, b"1", False),
        (Opcode.CONTINUATION, b"2", False),
        (Opcode.CONTINUATION, b"", True),
    ]
    assert seen == [0, 1, 2]


def test_a_big_piece_is_not_copied_and_its_buffer_may_be_used_again() -> None:
    session = Session()
    buffer = bytearray(BIG)

    def pieces() -> Iterator[Any]:
        for number in range(3):
            buffer[:1] = b"%d" % number
            yield buffer

    sent = send(pieces(), session)
    assert [(data[:1], fin) for _, data, fin in sent] == [
        (b"0", False),
        (b"1", False),
        (b"2", False),
        (b"", True),
    ]
    for pieces_at_hand in ([b"a", buffer, b"z"], [b"a", buffer], [buffer]):
        fragments = Fragments(holds_back=True)
        frames = [frame for piece in pieces_at_hand for frame in fragments.add(piece)]
        frames.append(fragments.last())
        assert any(data is buffer for _, data, _ in frames)
        assert b"".join(data for _, data, _ in frames) == b"".join(pieces_at_hand)
        assert [fin for _, _, fin in frames] == [False] * (len(frames) - 1) + [True]
        assert [bool(opcode) for opcode, _, _ in frames] == [True] + [False] * (len(frames) - 1)


def test_a_buffer_that_is_used_again() -> None:
    def pieces() -> Iterator[bytearray]:
        buffer = bytearray(1)
        for number in b"abc":
            buffer[0] = number
            yield buffer

    for in_handler in (False, True):
        frames = send(pieces(), Session(in_handler))
        assert b"".join(data for _, data, _ in frames) == b"abc"


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
    assert "a part of the message was sent" in error.__notes__[0]


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


# --- compression ----------------------------------------------------------------------------------


@pytest.mark.parametrize("compress", [None, True, False])
def test_an_iterables_choice(compress: bool | None) -> None:
    session = Session()
    send_message(session, ["a", "b"], compress)  # type: ignore[arg-type]
    assert session.choices == [(compress is not False, True)] * 2


def test_compression_that_was_not_negotiated() -> None:
    session = Session()
    session.has_compression = False
    for message in ("a", ["a", "b"], b"x" * IN_PIECES):
        with pytest.raises(OptionError, match="compress=True: no compression was negotiated"):
            send_message(session, message, True)  # type: ignore[arg-type]
    assert session.calls == []


CONTENT = bytes(range(256)) * (IN_PIECES // 256) + b"rest"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_big_message_is_compressed_in_pieces(kind: type) -> None:
    session = Session()
    send_message(session, kind(CONTENT))  # type: ignore[arg-type]
    assert [len(call) for call in session.calls] == [1] * 5
    sent = [frame for call in session.calls for frame in call]
    assert b"".join(data for _, data, _ in sent) == CONTENT
    assert [len(data) for _, data, _ in sent] == [IN_PIECES // 4] * 4 + [4]
    assert [opcode for opcode, _, _ in sent] == [Opcode.BINARY] + [Opcode.CONTINUATION] * 4
    assert [fin for _, _, fin in sent] == [False] * 4 + [True]
    assert session.choices == [(True, True)] * 5


@pytest.mark.parametrize(
    ("size", "compress", "has_compression"),
    [(IN_PIECES - 1, None, True), (IN_PIECES, False, True), (IN_PIECES, None, False)],
)
def test_others_go_out_whole(size: int, compress: bool | None, has_compression: bool) -> None:
    session = Session()
    session.has_compression = has_compression
    send_message(session, bytes(size), compress)  # type: ignore[arg-type]
    assert session.calls == [[(Opcode.BINARY, bytes(size), True)]]
    assert session.choices == [compress]


def test_a_handler_sends_all_pieces_at_once() -> None:
    session = Session(in_handler=True)
    send_message(session, CONTENT)  # type: ignore[arg-type]
    assert len(session.calls) == 1 and len(session.calls[0]) == 5


def not_taken(accepted: bool) -> SendTimeout:
    return SendTimeout("the peer does not read", accepted=accepted)


@pytest.mark.parametrize("late", [0, 1, 3, 4])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_peer_that_stops_to_read_in_the_middle(late: int, accepted: bool) -> None:
    """The message is accepted as a whole, or, before anything went out, not at all."""
    session = Session()
    session.errors = [*[None] * late, not_taken(accepted)]
    with pytest.raises(SendTimeout) as caught:
        send_message(session, CONTENT)  # type: ignore[arg-type]
    sent = [frame for call in session.calls for frame in call]
    assert session.failures == []
    if late == 0 and not accepted:
        assert not caught.value.accepted and sent == []
        return
    assert caught.value.accepted and str(len(CONTENT)) in str(caught.value)
    assert b"".join(data for _, data, _ in sent) == CONTENT
    assert [waits for _, waits in session.choices].count(False) == 5 - late - accepted


def test_a_big_message_that_is_interrupted_fails_the_connection() -> None:
    session = Session()
    session.errors = [None, KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        send_message(session, CONTENT)  # type: ignore[arg-type]
    ((_, code),) = session.failures
    assert code == CloseCode.INTERNAL_ERROR


# --- what is noted --------------------------------------------------------------------------------


@pytest.mark.parametrize("in_handler", [False, True])
def test_a_message_in_pieces_is_noted_with_its_last_one(in_handler: bool) -> None:
    session, unsent = Session(in_handler), Unsent(Opcode.BINARY, CONTENT, None, 0.0)
    send_whole(session, Opcode.BINARY, CONTENT, None, unsent)  # type: ignore[arg-type]
    assert session.noted == [*[None] * (len(session.calls) - 1), unsent]


@pytest.mark.parametrize("late", [0, 2, 4])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_late_message_is_noted_once(late: int, accepted: bool) -> None:
    session, unsent = Session(), Unsent(Opcode.BINARY, CONTENT, None, 0.0)
    session.errors = [*[None] * late, not_taken(accepted)]
    with pytest.raises(SendTimeout):
        send_whole(session, Opcode.BINARY, CONTENT, None, unsent)  # type: ignore[arg-type]
    assert session.noted.count(unsent) == (1 if late or accepted else 0)


@pytest.mark.parametrize("in_handler", [False, True])
@pytest.mark.parametrize("pieces", [["a", "b"], "generator"])
def test_an_iterable_is_noted_with_its_last_frame(in_handler: bool, pieces: Any) -> None:
    session, unsent = Session(in_handler), Unsent(Opcode.BINARY, b"", None, 0.0)
    given = iter(["a", "b"]) if pieces == "generator" else pieces
    send_fragments(session, given, True, unsent)  # type: ignore[arg-type]
    assert session.noted == [*[None] * (len(session.calls) - 1), unsent]


def test_a_small_message_is_noted() -> None:
    session, unsent = Session(), Unsent(Opcode.TEXT, b"x", None, 0.0)
    send_whole(session, Opcode.TEXT, b"x", None, unsent)  # type: ignore[arg-type]
    assert session.noted == [unsent]
