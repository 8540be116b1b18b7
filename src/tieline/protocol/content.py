# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Pieces of one message's payload → its text or bytes, UTF-8 checked as they come."""

from __future__ import annotations

from codecs import utf_8_decode
from io import BytesIO, StringIO

from tieline.errors import ProtocolError


class MessageContent:
    """Gathers the message in work, one after the other. Owned by one thread at a time."""

    def __init__(self, decode_text: bool) -> None:
        self.decode_text = decode_text
        #: Set with a message's first frame.
        self.is_text = False
        # Text is decoded as it comes: `decoded` bytes of it so far, and those of a cut character.
        self.decoded = 0
        self.cut = b""
        self.text = StringIO()
        self.binary = BytesIO()
        #: How much was added since the last `take`, in bytes of payload.
        self.waiting = 0

    def add(self, piece: bytes | memoryview) -> None:
        """Add a piece of payload: bad UTF-8 is noticed at its first byte. Raises ProtocolError."""
        self.waiting += len(piece)
        if not (self.is_text and self.decode_text):
            self.binary.write(piece)
        if self.is_text:
            if self.cut:
                piece = self.cut + bytes(piece)
            try:
                text, used = utf_8_decode(piece, "strict", False)
            except UnicodeDecodeError as error:
                raise bad_text(error, self.decoded) from None
            self.decoded += used
            self.cut = bytes(piece[used:])
            if self.cut >= b"\xed\xa0" and self.cut < b"\xee":
                # The codec waits for the third byte of a surrogate; none makes it UTF-8.
                raise _bad_byte(0xED, self.decoded)
            if self.decode_text:
                self.text.write(text)

    def take(self) -> str | bytes:
        """What was added and not taken yet; a character that is cut stays for the next time."""
        self.waiting = 0
        taken: str | bytes
        if self.is_text and self.decode_text:
            taken = self.text.getvalue()
            self.text = StringIO()
        else:
            # Shares its memory with the result, which is why it is not used again.
            taken = self.binary.getvalue()
            self.binary = BytesIO()
        return taken

    def finish(self) -> str | bytes:
        """The message is complete: take the rest of it. Raises ProtocolError."""
        if self.cut:
            raise _cut_text(self.cut)
        self.decoded = 0
        return self.take()

    def release(self) -> None:
        """Let go of what was gathered."""
        self.cut = b""
        self.text = StringIO()
        self.binary = BytesIO()


def bad_text(error: UnicodeDecodeError, decoded: int) -> ProtocolError:
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
