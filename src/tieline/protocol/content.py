# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""Pieces of one message's payload → its text or bytes, UTF-8 checked as they come."""

from __future__ import annotations

from codecs import utf_8_decode
from io import BytesIO, StringIO

from tieline.errors import ProtocolError
from tieline.protocol.storage import Storage

#: Of a frame that lacks more than this the rest is read to where its message will stay, up to its
#: end; less comes with what follows it.
_DIRECT = 256 * 1024

#: A target has room for no more than this: what was read is checked while the processor's caches
#: hold it, and TLS decrypts no more at once.
_LARGEST_READ = 4 * 1024 * 1024

#: What memory is first asked for, before so many bytes are in.
_FIRST = 1024 * 1024

#: The next message has room for as much as the one before had, up to this.
_AGAIN = 16 * 1024 * 1024


class MessageContent:
    """Gathers the message in work, one after the other. Owned by one thread at a time."""

    def __init__(self, decode_text: bool) -> None:
        self.decode_text = decode_text
        #: Set with a message's first frame.
        self.is_text = False
        # Its assembler's notes: its size in bytes and its frames so far; is it compressed, with how
        # many bytes so far; was the beginning handed out; and what was read to `target` and is not
        # looked at yet.
        self.size = 0
        self.fragments = 0
        self.is_compressed = False
        self.wire_size = 0
        self.is_streamed = False
        self.arrived = 0
        # Text is decoded as it comes: `decoded` bytes of it so far, and those of a cut character.
        self.decoded = 0
        self.cut = b""
        # Both are made for a message that does not come whole: few do.
        self.text: StringIO | None = None
        self.binary: BytesIO | None = None
        # What is cut, instead of these; text only while it is ASCII, as it mostly is.
        self.storage: Storage | None = None
        # Text that is not ASCII: this one, and the last one.
        self.is_wide = False
        self.was_wide = False
        # Its assembler's as well: is the rest of the frame in work read to the storage?
        self.is_direct = False
        # How many bytes the last message had that was gathered in a storage.
        self.stored_before = 0
        #: How much was added since the last `take`, in bytes of payload.
        self.waiting = 0

    def add(self, piece: bytes | memoryview) -> None:
        """Add a piece of payload: bad UTF-8 is noticed at its first byte. Raises ProtocolError."""
        if not len(piece):
            return
        if self.storage is not None:
            self.storage.add(piece)
            self._stored(len(piece))
            return
        self.waiting += len(piece)
        if not (self.is_text and self.decode_text):
            if self.binary is None:
                self.binary = BytesIO()
            self.binary.write(piece)
        if self.is_text:
            self._decode(piece)

    def target(self, wanted: int) -> memoryview | None:
        """Where to read the next bytes to, of `wanted` that will be added. None: elsewhere."""
        if self.storage is None or not self.is_direct:
            return None
        return self.storage.target(wanted, _LARGEST_READ, _FIRST)

    def received(self, count: int) -> None:
        """So many bytes were read to `target`: the same as `add`."""
        assert self.storage is not None
        self.storage.received(count)
        self._stored(count)

    def store(self, arrived: int, missing: int) -> None:
        """From now on gather the message where it will stay, if that can be done and is worth it.

        So many bytes of a frame are here and will be added next, and so many are not. What its
        header announces is not believed: there is room for all when a sixteenth of it is here, or
        when the message before was as big.
        """
        if missing > _DIRECT:
            self.is_direct = True
        is_decoded = self.is_text and self.decode_text
        if self.storage is not None or (is_decoded and (self.is_wide or self.cut)):
            return
        room = self.waiting + arrived
        if not self.is_direct:
            if 15 * room < missing or self.was_wide or not Storage.is_quick:
                return
            room += missing
        elif Storage.is_quick and not self.was_wide:
            room += min(missing, self.stored_before, _AGAIN)
        storage = Storage(is_decoded)
        storage.reserve(room)
        if self.waiting:
            gathered = self.take()
            storage.add(gathered.encode() if isinstance(gathered, str) else gathered)
            self.waiting = storage.size
        self.storage = storage

    def _stored(self, count: int) -> None:
        """Check what the storage got last."""
        self.waiting += count
        storage = self.storage
        assert storage is not None
        if not self.is_text:
            return
        start = storage.size - count
        if not self.is_wide and not self.cut and storage.is_ascii(start):
            self.decoded += count
            return
        piece = storage.cut(start)
        if self.decode_text:
            # The text gathered so far is ASCII, what follows is not.
            self.storage = None
            self._add_text(str(storage.take()))
        else:
            storage.add(piece)
        self._decode(piece)

    def _decode(self, piece: bytes | memoryview) -> None:
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
        if len(text) != used:
            self.is_wide = True
        if self.decode_text:
            self._add_text(text)

    def _add_text(self, text: str) -> None:
        if self.text is None:
            self.text = StringIO()
        self.text.write(text)

    def take(self) -> str | bytes:
        """What was added and not taken yet; a character that is cut stays for the next time."""
        self.waiting = 0
        taken: str | bytes
        if self.storage is not None:
            taken = self.storage.take()
            self.storage = None
        elif self.is_text and self.decode_text:
            taken = "" if self.text is None else self.text.getvalue()
            self.text = None
        else:
            # Shares its memory with the result, which is why it is not used again.
            taken = b"" if self.binary is None else self.binary.getvalue()
            self.binary = None
        return taken

    def finish(self) -> str | bytes:
        """The message is complete: take the rest of it. Raises ProtocolError."""
        if self.cut:
            raise _cut_text(self.cut)
        self.decoded = 0
        self.was_wide = self.is_wide
        self.is_wide = False
        if self.storage is not None:
            self.stored_before = self.storage.size
        return self.take()

    def release(self) -> None:
        """Let go of what was gathered."""
        self.storage = None
        self.arrived = 0
        self.cut = b""
        self.text = None
        self.binary = None


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
