"""A script's answer to the client's offer of compression → its two contexts (RFC 7692)."""

from __future__ import annotations

from collections.abc import Iterable

from tieline.compression import MAX_WINDOW_BITS, Deflate
from tieline.protocol.contexts import contexts
from tieline.protocol.deflate import Agreement, check_answer
from tieline.protocol.events import Frame
from tieline.protocol.wire import Opcode

#: A script keeps to what it has answered, and to nothing else.
_ANYTHING = Deflate(client_max_window_bits=MAX_WINDOW_BITS)

#: Inflated at once, in bytes.
_PIECE = 256 * 1024


class ScriptedCompression:
    """The server's part of permessage-deflate, as ``answered`` says (lines of the header).

    Without a right answer nothing is agreed on; compressing works all the same, as scripts may do
    what no server should.
    """

    def __init__(self, answered: Iterable[str] = ()) -> None:
        try:
            agreement = check_answer(_ANYTHING, answered)
        except ValueError:
            agreement = None  # which the client has to refuse
        #: The client may compress.
        self.is_agreed = agreement is not None
        self._inflater, self._deflater = contexts(False, _ANYTHING, agreement or Agreement())
        # The client's message in work is compressed.
        self._inflating = False

    def deflate(self, payload: bytes | str, *, last: bool) -> bytes:
        """The payload of the message's next frame; `last`: of its last one."""
        data = payload.encode() if isinstance(payload, str) else payload
        return self._deflater.compress(data, last=last)

    def forget(self) -> None:
        """Compressed bytes of another making are on their way, which the next ones cannot know."""
        self._deflater.reset()

    def inflate(self, frame: Frame) -> Frame:
        """The client's next frame, with what its payload stands for. Raises `ProtocolError`."""
        if frame.opcode.is_control:
            return frame
        if frame.opcode is not Opcode.CONTINUATION:
            self._inflating = frame.rsv1
        if not self._inflating:
            return frame
        pieces = []
        self._inflater.feed(frame.payload, frame.fin)
        while self._inflater.is_pending:
            pieces.append(self._inflater.inflate(_PIECE))
        return frame._replace(payload=b"".join(pieces))
