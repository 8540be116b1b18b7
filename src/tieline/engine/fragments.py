"""An iterable of pieces → one fragmented message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tieline.engine.payloads import encode_payload, fragments_of
from tieline.engine.session import Session
from tieline.errors import OptionError
from tieline.protocol.wire import CloseCode, Opcode

FrameParts = tuple[Opcode, bytes, bool]


class Fragments:
    """The frames of one message: one piece behind, because the last one is marked."""

    def __init__(self) -> None:
        self._kind: Opcode | None = None
        self._opcode = Opcode.CONTINUATION
        self._held: bytes | None = None

    def add(self, piece: object) -> FrameParts | None:
        """The next piece; the frame that may be sent now. Raises OptionError."""
        encoded = encode_payload(piece)
        if encoded is None:
            raise OptionError(
                f"a fragment is {type(piece).__name__}: expected str or bytes, as in every other "
                "fragment of the message"
            )
        if self._kind is None:
            self._opcode = self._kind = encoded[0]
        elif encoded[0] is not self._kind:
            raise OptionError("the fragments of one message must be all str or all bytes, got both")
        frame = None
        if self._held is not None:
            frame = self._opcode, self._held, False
            self._opcode = Opcode.CONTINUATION
        # A copy: the iterable may use its buffer again for the next piece.
        self._held = bytes(encoded[1])
        return frame

    def last(self) -> FrameParts:
        """The frame that ends the message. Raises OptionError when there is none."""
        if self._held is None:
            raise OptionError("cannot send an empty iterable: a message has at least one fragment")
        return self._opcode, self._held, True


def send_message(session: Session, message: object) -> None:
    """Send a whole message, or an iterable of pieces as one fragmented message. Any thread."""
    encoded = encode_payload(message)
    if encoded is None:
        send_fragments(session, fragments_of(message))
    else:
        session.speaker.message(*encoded)


def send_fragments(session: Session, pieces: Iterable[Any]) -> None:
    """Send each piece as one frame, as it is produced.

    The iterable runs on the calling thread, with no lock held; other senders wait until the message
    is complete. When it fails half-way the message cannot be completed, so the connection is failed
    with 1011. A handler must not wait for room, so there the pieces are gathered first.
    """
    fragments = Fragments()
    if session.in_handler():
        frames = [frame for piece in pieces if (frame := fragments.add(piece)) is not None]
        session.speaker.frames([*frames, fragments.last()])
        return
    # Of another message of the caller's, by hand or under a signal handler: this one is refused.
    was_mid_message = session.sender.is_mid_message
    try:
        for piece in pieces:
            frame = fragments.add(piece)
            if frame is not None:
                session.speaker.frames([frame])
        session.speaker.frames([fragments.last()])
    except BaseException as error:
        if not was_mid_message:
            give_up_message(session, error)
        raise


def give_up_message(session: Session, error: BaseException) -> None:
    """Fail the connection if the peer waits for the rest of a message that will not come.

    What was sent decides, and not what `frames` returned: Ctrl-C may have come in between.
    """
    if session.is_open and session.sender.is_mid_message:
        session.fail(
            RuntimeError(f"a fragmented message could not be completed: {type(error).__name__}"),
            CloseCode.INTERNAL_ERROR,
        )
