# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Frames that are a whole message, as nearly all are → messages, with no more than it takes."""

from __future__ import annotations

from tieline.protocol.decoder import FrameDecoder
from tieline.protocol.wire import MAX_PAYLOAD_LENGTH

#: A run ends behind so many bytes or messages: while it is delivered it is still in
#: the processor's caches, and the next one gets its memory.
_CACHED_BYTES = 128 * 1024
_CACHED_MESSAGES = 512


class PlainMessages(FrameDecoder):
    """The part of a `MessageAssembler` that is in no message. Owned by one thread at a time."""

    def prepare_plain(
        self, expect_masked: bool, max_message_size: int | None, decode_text: bool
    ) -> None:
        """`__init__`, see `prepare_decoder`."""
        self.prepare_decoder(expect_masked)
        self.max_size = limit_of(max_message_size)
        self.decode_text = decode_text
        #: Statistics: whole data messages, and their payload bytes.
        self.messages = 0
        self.message_bytes = 0

    def take_plain(self, batch: list[str | bytes], view: bytes | bytearray) -> bool:
        """Add messages that are nothing special: one frame, not compressed, and all of it here.

        Nearly all are. What is not, or is wrong, stays where it is, for others to look into.
        True: the run is long enough.
        """
        if self.expect_masked or self.kept:
            return False
        position = self.position
        end = self.end
        run_end = position + _CACHED_BYTES
        last = min(end - 1, run_end)
        count = 0
        payload = 0
        try:
            while position < last and count < _CACHED_MESSAGES:
                # FIN, a data opcode and nothing else; and, below, no mask.
                is_text = view[position] == 0x81
                if not is_text and view[position] != 0x82:
                    break
                size = view[position + 1]
                start = position + 2
                if size == 126:
                    start = position + 4
                    if start > end:
                        break
                    size = view[position + 2] << 8 | view[position + 3]
                    if size < 126:
                        break
                elif size > 126:
                    start = position + 10
                    if size > 127 or start > end or view[position + 2]:
                        break
                    size = 0
                    for i in range(position + 3, start):
                        size = size << 8 | view[i]
                    if size < 0x10000:
                        break
                stop = start + size
                if size > end - start or size > self.max_size:
                    break
                if is_text and self.decode_text:
                    batch.append(view[start:stop].decode("utf-8"))
                else:
                    piece = view[start:stop]
                    if is_text and not piece.isascii():
                        piece.decode("utf-8")  # only to see whether it is text
                    # (C's slices are bytes, and asking for their type costs nothing there.)
                    batch.append(piece if type(piece) is bytes else bytes(piece))
                position = stop
                payload += size
                count += 1
        except UnicodeDecodeError:
            pass  # bad text: not consumed
        self.position = position
        self.frames += count
        self.messages += count
        self.message_bytes += payload
        return count == _CACHED_MESSAGES or position >= run_end


def limit_of(limit: int | None) -> int:
    """A limit as the number that stands for it."""
    # No message reaches the greatest limit, so a greater one means the same.
    return MAX_PAYLOAD_LENGTH if limit is None else min(limit, MAX_PAYLOAD_LENGTH)
