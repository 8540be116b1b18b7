# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Frames → each frame before it is processed, and then what has become of it."""

from __future__ import annotations

from io import BytesIO

from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.compressed import STEP
from tieline.protocol.events import Frame, FrameReceived, MessageChunk
from tieline.protocol.messages import Item, MessageAssembler
from tieline.protocol.wire import Opcode


class FrameInspector(MessageAssembler):
    """Hands out every frame, as a `FrameReceived`, and processes it with the next call.

    A frame's place among the fragments, its compression and its UTF-8 are only checked then: one
    that is skipped need not fit.
    """

    def __init__(
        self,
        expect_masked: bool,
        max_message_size: int | None,
        max_fragments: int | None,
        decode_text: bool = True,
    ) -> None:
        MessageAssembler.__init__(self, expect_masked, max_message_size, max_fragments, decode_text)
        # The frame in work, and the one that was handed out.
        self.frame_payload = BytesIO()
        self.inspected: Frame | None = None
        # Is that one of a compressed message?
        self.of_compressed = False
        # The frame that was accepted ends its message.
        self.is_ending = False

    def release(self) -> None:
        """Let go of what is buffered."""
        MessageAssembler.release(self)
        self.frame_payload = BytesIO()
        self.inspected = None

    def skip(self) -> None:
        """Do not process the frame that was handed out.

        What it holds is inflated all the same: later messages may refer to it.
        """
        frame, self.inspected = self.inspected, None
        inflater = self.inflater
        if frame is None or frame.opcode >= 8 or not self.of_compressed or inflater is None:
            return
        size = 0
        try:
            inflater.feed(frame.payload, frame.fin)
            while inflater.is_pending:
                size += len(inflater.inflate(STEP))
                if size > self.max_size:
                    raise self._too_many_bytes(0, size, "bytes inflated")
        except (ProtocolError, MessageTooBig) as error:
            self.failure = error

    def next_batch(self) -> Item | None:
        """What has become of the last frame, else the next frame, or None."""
        if self.failure is not None:
            raise self.failure
        frame: Frame | None = self.inspected
        self.inspected = None
        try:
            item = self._rest_of_frame() if frame is None else self._accept(frame)
            if item is not None:
                return item
            frame = self._next_frame()
        except (ProtocolError, MessageTooBig) as error:
            self.failure = error
            raise
        self.inspected = frame
        if frame is not None and 0 < frame.opcode < 8:
            self.of_compressed = frame.rsv1
        return None if frame is None else FrameReceived(frame)

    def _next_frame(self) -> Frame | None:
        if not self.in_frame:
            if not self.read_header():
                return None
            if self.opcode < 8:
                self._check_frame(self.remaining)
            self.frame_payload = BytesIO()
        self.frame_payload.write(self.take())
        if self.in_frame:
            return None
        payload = self.frame_payload.getvalue()
        return Frame(Opcode(self.opcode), payload, bool(self.fin), bool(self.rsv1))

    def _check_frame(self, size: int) -> None:
        """Refuse a frame that is to be kept whole, if its message would be refused for it."""
        content = self.content
        is_further = self.opcode == 0 and self.kind != 0
        if self.rsv1 or (is_further and content.is_compressed):
            room = self._max_wire_size() - (content.wire_size if is_further else 0)
        else:
            room = self.max_size - (content.size if is_further else 0)
        if size > room:
            # Raises, and what it raises is what a `MessageAssembler` would.
            self._begin(self.opcode, size, self.rsv1)

    def _accept(self, frame: Frame) -> list[str | bytes] | MessageChunk | Frame | None:
        """Process a frame."""
        if frame.opcode >= 8:
            return frame
        self._begin(frame.opcode, len(frame.payload), frame.rsv1)
        self._add(frame.payload, frame.fin)
        self.is_ending = frame.fin
        return self._rest_of_frame()

    def _rest_of_frame(self) -> list[str | bytes] | MessageChunk | None:
        """What the frame that was processed last still holds."""
        batch: list[str | bytes] = []
        while self.is_inflating:
            self.content.add(self._inflate())
            if self.streaming:
                break  # the rest with the next call
        if self.is_ending and not self.is_inflating:
            self.is_ending = False
            self._finish(batch)
        elif self.streaming:
            self._hand_out()
        return batch or self._take_chunk()
