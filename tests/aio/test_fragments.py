"""Messages of tasks, whole or in frames: which of them is noted, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tieline.aio.fragments import say_fragments, say_frame, say_whole
from tieline.engine.fragments import IN_PIECES
from tieline.engine.unsent import Unsent
from tieline.errors import SendTimeout
from tieline.protocol.wire import Opcode


class Session:
    """Notes what it is asked to send."""

    def __init__(self, compresses: bool = False) -> None:
        self.calls: list[Any] = []
        self.noted: list[Unsent | None] = []
        #: Raised by one wait for room after the other.
        self.errors: list[Exception | None] = []
        self.is_open = True
        self.is_mid_message = False
        self._compresses = compresses

    @property
    def speaker(self) -> Session:
        return self

    @property
    def sender(self) -> Session:
        return self

    def compresses(self, size: int, compress: bool | None) -> bool:
        return self._compresses

    def must_wait(self) -> bool:
        return True

    def not_taken(self, size: int) -> SendTimeout:
        return SendTimeout(f"{size} bytes", accepted=True)

    def message(
        self, opcode: Opcode, payload: Any, compress: bool | None, unsent: Unsent | None
    ) -> None:
        self.calls.append((opcode, bytes(payload)))
        self.noted.append(unsent)

    def frames(self, frames: Any, compress: bool, *, waits: bool, unsent: Unsent | None) -> None:
        self.calls += [(opcode, bytes(payload), fin) for opcode, payload, fin in frames]
        self.noted.append(unsent)


class Line:
    """Waits for room as a `LoopLine` does: before, and not when there is no need to."""

    async def say(
        self, session: Session, size: int, blocked: Callable[[], bool], action: Callable[[], Any]
    ) -> Any:
        await asyncio.sleep(0)
        if blocked() and session.errors and (error := session.errors.pop(0)) is not None:
            raise error
        return action()


CONTENT = b"x" * (IN_PIECES + 1)


def no_room() -> SendTimeout:
    return SendTimeout("the peer does not read", accepted=False)


def whole(session: Session, payload: bytes) -> Unsent:
    unsent = Unsent(Opcode.BINARY, payload, None, 0.0)
    asyncio.run(say_whole(Line(), session, Opcode.BINARY, payload, None, unsent))  # type: ignore[arg-type]
    return unsent


@pytest.mark.parametrize(("size", "compresses"), [(10, True), (IN_PIECES + 1, False)])
def test_a_whole_message(size: int, compresses: bool) -> None:
    session = Session(compresses)
    unsent = whole(session, b"x" * size)
    assert session.calls == [(Opcode.BINARY, b"x" * size)] and session.noted == [unsent]


def test_a_big_compressed_message_is_noted_with_its_last_piece() -> None:
    session = Session(True)
    unsent = whole(session, CONTENT)
    assert b"".join(payload for _, payload, _ in session.calls) == CONTENT
    assert [fin for _, _, fin in session.calls] == [False] * 4 + [True]
    assert session.noted == [None] * 4 + [unsent]


@pytest.mark.parametrize("late", range(5))
def test_a_peer_that_stops_to_read_in_the_middle(late: int) -> None:
    session = Session(True)
    session.errors = [*[None] * late, no_room()]
    unsent = Unsent(Opcode.BINARY, CONTENT, None, 0.0)
    with pytest.raises(SendTimeout) as caught:
        asyncio.run(say_whole(Line(), session, Opcode.BINARY, CONTENT, None, unsent))  # type: ignore[arg-type]
    assert caught.value.accepted == (late > 0)
    assert session.noted.count(unsent) == (late > 0)
    assert len(session.calls) == (5 if late else 0)


@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_an_iterable_is_noted_with_its_last_frame(is_asynchronous: bool) -> None:
    async def pieces() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    session, unsent = Session(), Unsent(Opcode.BINARY, b"", None, 0.0)
    given: Any = pieces() if is_asynchronous else ["a", "b"]
    asyncio.run(say_fragments(Line(), session, given, True, unsent))  # type: ignore[arg-type]
    assert [payload for _, payload, _ in session.calls][:2] == [b"a", b"b"]
    assert session.calls[-1][2]
    assert session.noted == [*[None] * (len(session.calls) - 1), unsent]


def test_one_frame() -> None:
    session = Session()
    frame = (Opcode.TEXT, b"a", False)
    asyncio.run(say_frame(Line(), session, frame, False))  # type: ignore[arg-type]
    assert session.calls == [frame] and session.noted == [None]
