# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Frames → messages: joins fragments, checks UTF-8 and holds the size limits."""

from __future__ import annotations

from codecs import utf_8_decode
from io import BytesIO, StringIO

from tieline.errors import MessageTooBig, ProtocolError
from tieline.protocol.decoder import FrameDecoder
from tieline.protocol.events import Frame
from tieline.protocol.wire import MAX_PAYLOAD_LENGTH, Opcode

_EMPTY = memoryview(b"")


class MessageAssembler:
    """Turns what a `FrameDecoder` reads into whole messages, many per call.

    `next_batch` is called until it returns None, which means that the bytes are used up. A broken
    rule raises only after everything before it was returned, and again at each later call.

    Owned by one thread at a time.
    """

    def __init__(
        self,
        decoder: FrameDecoder,
        max_message_size: int | None,
        max_fragments: int | None,
        decode_text: bool = True,
    ) -> None:
        self.decoder = decoder
        self.masked = self.decoder.expect_masked
        self.max_size = _limit(max_message_size)
        self.max_fragments = _limit(max_fragments)
        self.decode_text = decode_text
        # The message in work: its opcode (0: none), its size in bytes and number of frames so far,
        # and its content: text as it is decoded (`decoded` bytes of it so far), with the bytes of
        # a character that is cut.
        self.kind = 0
        self.size = 0
        self.fragments = 0
        self.decoded = 0
        self.text = StringIO()
        self.cut = b""
        self.binary = BytesIO()
        # A control frame in work; one that waits behind the messages before it.
        self.control_payload = b""
        self.control: Frame | None = None
        #: What went wrong, behind all that was returned.
        self.failure: Exception | None = None
        # A frame in work when frames are handed out one by one.
        self.frame_payload = BytesIO()
        #: Statistics: whole data messages, and their payload bytes.
        self.messages = 0
        self.message_bytes = 0

    def release(self) -> None:
        """Let go of what is buffered: nothing more will be read. The statistics stay."""
        self.decoder.release()
        self.text = StringIO()
        self.binary = BytesIO()
        self.frame_payload = BytesIO()
        self.cut = self.control_payload = b""

    def next_batch(self) -> list[str | bytes] | Frame | None:
        """The next run of messages, or the control frame after it, or None."""
        frame: Frame | None = self.control
        if frame is not None:
            self.control = None
            return frame
        if self.failure is not None:
            raise self.failure
        batch: list[str | bytes] = []
        try:
            self._collect(batch)
        except (ProtocolError, MessageTooBig) as error:
            self.failure = error
            if not batch:
                raise
        if batch:
            return batch
        frame = self.control
        self.control = None
        return frame

    def _collect(self, batch: list[str | bytes]) -> None:
        """Add messages to `batch` until the bytes are used up or a control frame is complete."""
        decoder = self.decoder
        while True:
            if not decoder.in_frame:
                if not decoder.read_header():
                    return
                opcode = decoder.opcode
                if opcode >= 8:
                    self.control_payload = b""
                else:
                    size = decoder.remaining
                    self._begin(opcode, size)
                    if (
                        self.fragments == 1
                        and decoder.fin
                        and not self.masked
                        and size <= decoder.end - decoder.position
                    ):
                        # Nearly every message: one frame, all of it here.
                        start = decoder.position
                        stop = start + size
                        if opcode == 2:
                            batch.append(bytes(decoder.view[start:stop]))
                        else:
                            batch.append(self._whole_text(start, stop))
                        decoder.skip(size)
                        self.kind = 0
                        self.messages += 1
                        self.message_bytes += size
                        continue
            if decoder.opcode >= 8:
                if self._take_control():
                    return
            else:
                self._add(decoder.take())
                if not decoder.in_frame and decoder.fin:
                    batch.append(self._finish())
            if decoder.in_frame:
                return

    def _whole_text(self, start: int, stop: int) -> str | bytes:
        """Decode a text message that lies in one piece."""
        try:
            text = self.decoder.view[start:stop].decode("utf-8")
        except UnicodeDecodeError as error:
            raise _bad_text(error, 0) from None
        return text if self.decode_text else bytes(self.decoder.view[start:stop])

    def _begin(self, opcode: int, size: int) -> None:
        """Check a data frame's header against the message in work; nothing is allocated yet."""
        if opcode:
            if self.kind:
                raise ProtocolError(
                    f"expected a continuation frame of the {Opcode(self.kind).name} message, "
                    f"got a {Opcode(opcode).name} frame (RFC 6455 section 5.4)"
                )
            self.kind = opcode
            self.size = 0
            self.fragments = 1
        elif self.kind:
            self.fragments += 1
            if self.fragments > self.max_fragments:
                raise MessageTooBig(
                    f"the peer's message has more than {self.max_fragments} fragments: raise "
                    "max_fragments if it is to be accepted"
                )
        else:
            raise ProtocolError(
                "expected a TEXT or BINARY frame, got a CONTINUATION without a message before it"
            )
        self._check_size(size)
        self.size += size

    def _check_size(self, size: int) -> None:
        """Refuse a frame that brings the message over the limit, by what its header says."""
        # Written so that no sum can exceed the widest integer; `total` is Python's, not C's.
        if size > self.max_size - self.size:
            total = self.size
            total += size
            raise MessageTooBig(
                f"the peer's message has at least {total} bytes, over the limit of "
                f"{self.max_size}: raise max_message_size if it is to be accepted"
            )

    def _add(self, piece: bytes | memoryview) -> None:
        """Add a piece of payload, as it arrives: bad UTF-8 is noticed at its first byte."""
        if self.kind == 2 or not self.decode_text:
            self.binary.write(piece)
        if self.kind == 1:
            if self.cut:
                piece = self.cut + bytes(piece)
            try:
                text, used = utf_8_decode(piece, "strict", False)
            except UnicodeDecodeError as error:
                raise _bad_text(error, self.decoded) from None
            self.decoded += used
            self.cut = bytes(piece[used:])
            if self.cut >= b"\xed\xa0" and self.cut < b"\xee":
                # The codec waits for the third byte of a surrogate; none makes it UTF-8.
                raise _bad_byte(0xED, self.decoded)
            if self.decode_text:
                self.text.write(text)

    def _finish(self) -> str | bytes:
        """The last fragment is in: return the message and be ready for the next one."""
        if self.cut:
            raise _cut_text(self.cut)
        message: str | bytes
        if self.kind == 1 and self.decode_text:
            message = self.text.getvalue()
        else:
            message = self.binary.getvalue()
        if self.kind == 1:
            self.text = StringIO()
            self.decoded = 0
        self.binary = BytesIO()
        self.kind = 0
        self.messages += 1
        self.message_bytes += self.size
        self.size = 0
        return message

    def _take_control(self) -> bool:
        """Collect a control frame's payload; True when it is complete."""
        decoder = self.decoder
        self.control_payload += bytes(decoder.take())
        if decoder.in_frame:
            return False
        self.control = Frame(Opcode(decoder.opcode), self.control_payload)
        return True

    def next_frame(self) -> Frame | None:
        """Frame by frame instead of `next_batch`: the next whole frame, not yet processed.

        Its place among the fragments and its UTF-8 are only checked when it is processed: a frame
        that is skipped need not fit.
        """
        if self.failure is not None:
            raise self.failure
        decoder = self.decoder
        try:
            if not decoder.in_frame:
                if not decoder.read_header():
                    return None
                if decoder.opcode < 8:
                    size = decoder.remaining
                    before = self.size if decoder.opcode == 0 else 0
                    if size > self.max_size - before:
                        # Raises, and what it raises is what `next_batch` would.
                        self._begin(decoder.opcode, size)
                self.frame_payload = BytesIO()
        except (ProtocolError, MessageTooBig) as error:
            self.failure = error
            raise
        self.frame_payload.write(decoder.take())
        if decoder.in_frame:
            return None
        return Frame(Opcode(decoder.opcode), self.frame_payload.getvalue(), bool(decoder.fin))

    def accept(self, frame: Frame) -> list[str | bytes] | Frame | None:
        """Process a frame that `next_frame` returned: what `next_batch` would have made of it."""
        if frame.opcode >= 8:
            return frame
        self._begin(frame.opcode, len(frame.payload))
        self._add(frame.payload)
        return [self._finish()] if frame.fin else None


def _limit(limit: int | None) -> int:
    # No message reaches the greatest limit, so a greater one means the same.
    return MAX_PAYLOAD_LENGTH if limit is None else min(limit, MAX_PAYLOAD_LENGTH)


def _bad_text(error: UnicodeDecodeError, decoded: int) -> ProtocolError:
    """What is wrong with the text of which `decoded` bytes were decoded before."""
    if error.reason == "unexpected end of data":
        return _cut_text(error.object[error.start :])
    return _bad_byte(error.object[error.start], decoded + error.start)


def _bad_byte(byte: int, place: int) -> ProtocolError:
    return ProtocolError(f"expected UTF-8 in a text message, got {byte:#04x} at byte {place}", 1007)


def _cut_text(rest: bytes) -> ProtocolError:
    return ProtocolError(
        f"expected UTF-8 in a text message, got one that ends within a character ({rest!r})", 1007
    )
