"""A message, or an iterable of its pieces → a whole message, or one in fragments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tieline.engine.payloads import encode_payload, fragments_of
from tieline.engine.sender import Data, Fragment
from tieline.engine.session import Session
from tieline.engine.unsent import Unsent
from tieline.errors import OptionError, SendTimeout
from tieline.protocol.big_frame import BIG, is_borrowed
from tieline.protocol.wire import CloseCode, Opcode

#: From here on a message that is compressed goes out in pieces: the connection is not served while
#: one is compressed, and that takes milliseconds for each.
IN_PIECES = 1024 * 1024

_PIECE = 256 * 1024


class Fragments:
    """The frames of one message; the last one is marked.

    `holds_back`: be one piece behind, so that the mark is on the last piece. Without it each piece
    can go out as it comes, and the mark is on an empty frame behind them.
    """

    def __init__(self, holds_back: bool) -> None:
        self._holds_back = holds_back
        self._kind: Opcode | None = None
        self._opcode = Opcode.CONTINUATION
        self._held: Data | None = None

    def add(self, piece: object) -> list[Fragment]:
        """The next piece; the frames that may be sent now, before the next one is asked for.

        Raises OptionError.
        """
        encoded = encode_payload(piece)
        if encoded is None:
            raise OptionError(
                f"a fragment is {type(piece).__name__}: expected str or bytes, as in every other "
                "fragment of the message"
            )
        kind, payload = encoded
        if self._kind is None:
            self._opcode = self._kind = kind
        elif kind is not self._kind:
            raise OptionError("the fragments of one message must be all str or all bytes, got both")
        frames: list[Fragment] = []
        if self._held is not None:
            frames.append(self._frame(self._held))
            self._held = None
        if not self._holds_back:
            frames.append(self._frame(payload))
        elif not is_borrowed(payload):
            self._held = payload
        elif len(payload) < BIG:
            # The iterable may use its buffer again for the next piece.
            self._held = bytes(payload)
        else:  # too big to be copied
            frames.append(self._frame(payload))
        return frames

    def last(self) -> Fragment:
        """The frame that ends the message. Raises OptionError when there is none."""
        if self._kind is None:
            raise OptionError("cannot send an empty iterable: a message has at least one fragment")
        return self._opcode, b"" if self._held is None else self._held, True

    def _frame(self, payload: Data) -> Fragment:
        opcode, self._opcode = self._opcode, Opcode.CONTINUATION
        return opcode, payload, False


def are_at_hand(pieces: object) -> bool:
    """Are the pieces of an iterable there already, so that none has to wait for the next?"""
    return isinstance(pieces, list | tuple)


def send_message(session: Session, message: object, compress: bool | None = None) -> None:
    """Send a whole message, or an iterable of pieces as one fragmented message. Any thread."""
    if compress:
        session.sender.check_compression(compress)
    encoded = encode_payload(message)
    if encoded is None:
        send_fragments(session, fragments_of(message), compress is not False)
        return
    opcode, payload = encoded
    if len(payload) < IN_PIECES:
        session.speaker.message(opcode, payload, compress)
    else:
        send_whole(session, opcode, payload, compress)


def send_whole(
    session: Session,
    opcode: Opcode,
    payload: Data,
    compress: bool | None,
    unsent: Unsent | None = None,
) -> None:
    """Send a whole message, which goes out in pieces when it is big and compressed."""
    size = len(payload)
    if size < IN_PIECES or not session.sender.compresses(size, compress):
        session.speaker.message(opcode, payload, compress, unsent)
    elif session.in_handler():
        session.speaker.frames(list(pieces_of(opcode, payload)), True, unsent=unsent)
    else:
        _send_pieces(session, pieces_of(opcode, payload), size, unsent)


def pieces_of(opcode: Opcode, payload: Data) -> Iterator[Fragment]:
    """The frames of a big message (RFC 7692 section 7.2.1 compresses across them)."""
    view = memoryview(payload)
    for start in range(0, len(view), _PIECE):
        yield opcode, view[start : start + _PIECE], start + _PIECE >= len(view)
        opcode = Opcode.CONTINUATION


def _send_pieces(
    session: Session, pieces: Iterator[Fragment], size: int, unsent: Unsent | None
) -> None:
    """Other threads may serve the connection between two pieces.

    When the peer has stopped to read, all the rest goes into the buffer: a message of which some
    was sent has to be completed, like any other that was accepted.
    """
    late: SendTimeout | None = None
    begun = False
    with completing(session):
        for piece in pieces:
            noted = unsent if piece[2] else None
            try:
                session.speaker.frames([piece], True, waits=late is None, unsent=noted)
            except SendTimeout as error:
                if not (begun or error.accepted):
                    raise
                late = late or error
                if not error.accepted:
                    session.speaker.frames([piece], True, waits=False, unsent=noted)
            begun = True
    if late is not None:
        raise session.sender.not_taken(size) from late


def send_fragments(
    session: Session, pieces: Iterable[Any], compress: bool = True, unsent: Unsent | None = None
) -> None:
    """Send each piece as one frame, as it is produced; `unsent` stands for the last of them.

    The iterable runs on the calling thread, with no lock held; other senders wait until the message
    is complete. When it fails half-way the message cannot be completed, so the connection is failed
    with 1011. A handler must not wait for room, so there the pieces are gathered first.
    """
    if session.in_handler():
        gathered = Fragments(holds_back=True)
        frames = [
            (opcode, bytes(payload), fin)
            for piece in pieces
            for opcode, payload, fin in gathered.add(piece)
        ]
        session.speaker.frames([*frames, gathered.last()], compress, unsent=unsent)
        return
    fragments = Fragments(holds_back=are_at_hand(pieces))
    with completing(session):
        for piece in pieces:
            for frame in fragments.add(piece):
                session.speaker.frames([frame], compress)
        session.speaker.frames([fragments.last()], compress, unsent=unsent)


@contextmanager
def completing(session: Session) -> Iterator[None]:
    """The body sends all fragments of one message.

    When it raises, and the peer waits for the rest of a message that will not come, the connection
    is failed. What was sent decides, and not what `frames` returned: Ctrl-C may have come in
    between.
    """
    # Of another message of the caller's, by hand or under a signal handler: this one is refused.
    was_mid_message = session.sender.is_mid_message
    try:
        yield
    except BaseException as error:
        if not was_mid_message and session.is_open and session.sender.is_mid_message:
            why = f"a fragmented message could not be completed: {type(error).__name__}"
            session.fail(RuntimeError(why), CloseCode.INTERNAL_ERROR)
            error.add_note("a part of the message was sent, so the connection is failed with 1011")
        raise
