# cython: language_level=3, annotation_typing=False, boundscheck=False, wraparound=False
# cython: freethreading_compatible=True
"""TLS over a byte stream → a byte stream.

This is not `ssl.SSLSocket`, because a TLS session must never be used by two threads at once:
concurrent use of one deadlocks or crashes in several Python releases (python/cpython#137583).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tieline.transport.peer_certificates import PeerCertificate, peer_certificates, session_facts
from tieline.transport.scratch import SIZE, ciphertext
from tieline.transport.stream import Layer, Stream

#: Encrypted at once before the kernel must take it.
_PIECE = 256 * 1024

#: Reads from below in one call, of up to 256 KiB each. The peer decides how much of it is content:
#: with TLS 1.3 it may send session tickets for ever.
_READS = 4


class TLSStream(Layer):
    """TLS over any stream, in memory: records come from and go to `lower`, which it owns.

    First call `handshake()` until it is True. Output is bounded: while ciphertext is pending, no
    new plaintext is taken. A stream that ends without close_notify ends like any other (0): the
    protocols above have an end of their own, which shows whether something is missing.
    """

    def __init__(self, lower: Stream, context: ssl.SSLContext, server_hostname: str) -> None:
        #: Replaced when the connection below has moved to another kind of stream.
        self.lower = lower
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(
            self._incoming, self._outgoing, server_side=False, server_hostname=server_hostname
        )
        # What is called for every message. An SSLObject only passes on.
        session = getattr(self._session, "_sslobj", self._session)
        # typeshed knows only the form of `read` that returns bytes.
        self._read_into: Callable[[int, memoryview], int] = session.read  # type: ignore[assignment]
        self._write: Callable[[bytes | bytearray | memoryview], int] = session.write
        self._feed = self._incoming.write
        self._take_output = self._outgoing.read
        self.tls: dict[str, Any] | None = None

        # Read side.
        self._ciphertext_read = 0
        # TLS over TLS (through an https proxy): the inner session is busy with the shared buffer
        # while it fills this one.
        layered = isinstance(lower, TLSStream)
        self._own_scratch = memoryview(bytearray(SIZE)) if layered else None
        self._plaintext = memoryview(b"")  # decrypted before shutdown_write, not yet asked for
        self._inside = True  # the session may have a record, or part of one, that it has not read
        self._drained = False  # the lower stream gave less than it was asked for: it has no more
        self._is_fed = False  # by its owner, who knows whether there is more
        self._pauses = False  # it may have more, but others shall have their turn first
        self._ended = False  # close_notify, or the end of the lower stream
        self._end_is_told = False
        self._failure: OSError | None = None  # to be raised once what came before it is read
        self.has_buffered_input = False
        #: What the peer sent first, for telling a plain-text server from a TLS one.
        self.first_bytes = b""

        # Write side.
        self._ciphertext: bytes | memoryview = b""  # on its way to `lower`
        self._has_output = False  # the session may have made more of it, which is in `_outgoing`
        self._shut_down = False

    @property
    def peer(self) -> Any:
        return self.lower.peer

    @property
    def local(self) -> Any:
        return self.lower.local

    def fileno(self) -> int:
        return self.lower.fileno()

    def peer_certificates(self) -> tuple[PeerCertificate, ...]:
        """What the peer has shown, leaf first, also when it was not trusted; for error texts."""
        return peer_certificates(self._session)

    def handshake(self) -> bool:
        """One step, with what one read has brought at most: True when done.

        Else there is another step to make, and unless `has_buffered_input` says that there is
        something to make it with, the descriptor must be waited for first. Raises `ssl.SSLError`,
        or another OSError of the lower stream.
        """
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            self._has_output = True
            self.flush()
            # An end is something, too: the session has an error for it.
            self.has_buffered_input = self._read_lower() > 0 or self._ended
            return False
        except ssl.SSLError:
            # The alert tells the server why; the error that matters is this one.
            self._has_output = True
            with suppress(OSError):
                self.flush()
            raise
        self._has_output = True
        if not self.flush():
            self.has_buffered_input = False
            return False
        self.tls = session_facts(self._session)
        self._note_buffered_input(True)
        return True

    def receive_into(self, buffer: memoryview) -> int | None:
        size = len(buffer)
        if not size:
            raise ValueError("the buffer is empty, so 0 would not mean the end of the stream")
        total = self._take_plaintext(buffer, size) if len(self._plaintext) else 0
        if self._failure is None:
            total = self._decrypt(buffer, total, size)
        if not total:
            self._end_is_told = self._ended
        self._note_buffered_input(total == size)
        if total:
            return total
        if self._failure is not None:
            raise self._failure
        return 0 if self._ended else None

    def feed(self, ciphertext: bytes | memoryview, is_all: bool) -> None:
        self._is_fed = True
        self._take_in(ciphertext, is_all)

    @property
    def hidden_input(self) -> int:
        return self._ciphertext_read + self.lower.hidden_input

    def send(self, data: bytes | bytearray | memoryview) -> int:
        if not self.flush():
            return 0
        view: bytes | bytearray | memoryview = data
        if not isinstance(data, (bytes, bytearray)):
            view = memoryview(data).cast("B")
        size = len(view)
        taken = 0
        while taken < size:
            piece = view
            if size > _PIECE:
                piece = memoryview(view)[taken : taken + _PIECE]
            self._has_output = True  # before, because Ctrl-C may come after
            try:
                taken += self._write(piece)
            except ssl.SSLWantReadError:
                self.flush()
                break  # a renegotiation of TLS 1.2 wants the peer's bytes first
            if not self.flush():
                break
        return taken

    def seal(self, data: bytes) -> bytes | None:
        if self.holds_output():
            return None
        self._has_output = True  # before, because Ctrl-C may come after
        try:
            self._write(data)
        except ssl.SSLWantReadError:
            return None
        sealed: bytes = self._take_output()
        self._has_output = False
        return sealed

    def keep(self, sealed: bytes, written: int) -> None:
        self._ciphertext = memoryview(sealed)[written:]

    @property
    def has_pending_output(self) -> bool:
        return self.holds_output() or self.lower.has_pending_output

    def holds_output(self) -> bool:
        """The same but for what `lower` holds, which a socket never does."""
        return len(self._ciphertext) > 0 or (self._has_output and self._outgoing.pending > 0)

    @property
    def pending_size(self) -> int:
        return len(self._ciphertext) + self._outgoing.pending + self.lower.pending_size

    def flush(self) -> bool:
        while True:
            size = len(self._ciphertext)
            if not size:
                if not self._has_output:
                    return self.lower.flush()
                self._ciphertext = self._take_output()
                self._has_output = False
                continue
            sent = self.lower.send(self._ciphertext)
            if sent == size:
                self._ciphertext = b""
            elif sent:
                self._ciphertext = memoryview(self._ciphertext)[sent:]
            else:
                return False

    def shutdown_write(self) -> None:
        if not self._shut_down:
            self._shut_down = True
            with suppress(OSError):
                self._send_close_notify()
        self.lower.shutdown_write()

    def close(self) -> None:
        self.lower.close()

    def detach_after_fork(self) -> None:
        self.lower.detach_after_fork()

    def _send_close_notify(self) -> None:
        if not self.flush():
            return  # the record in the middle of which we would speak is not complete
        # SSL_shutdown throws away the records that have come already, so they are read first.
        kept = bytearray(self._plaintext)
        try:
            while piece := self._session.read(_PIECE):
                kept += piece
            self._ended = True
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self._ended = True
        except ssl.SSLWantReadError:
            pass  # all of them are read
        except OSError as error:
            self._failure = error.with_traceback(None)  # which would keep the buffer
        finally:
            self._plaintext = memoryview(bytes(kept))
            self._note_buffered_input(self.has_buffered_input)
        self._has_output = True
        # SSLWantReadError: it waits for the peer's close_notify; we do not. Others: it is broken.
        with suppress(ssl.SSLError):
            self._session.unwrap()
        self.flush()

    def _decrypt(self, buffer: memoryview, total: int, size: int) -> int:
        """Fill the buffer, from `total` up to `size`, as far as records go: what is in it.

        An error is kept, so that it does not take along the bytes that came before it. A session
        is not asked for what it cannot have: saying so costs it an exception.
        """
        start = total
        reads = 0
        self._pauses = False
        if not self._is_fed:
            self._drained = False
        self._is_fed = False
        try:
            while total < size:
                if not self._inside:
                    if self._drained and total > start:
                        break
                    if reads == _READS:
                        self._pauses = True
                        break
                    reads += 1
                    if not self._read_lower():
                        break
                room = size - total
                try:
                    count = self._read_into(room, buffer[total:] if total else buffer)
                except ssl.SSLWantReadError:
                    self._inside = False
                    continue
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    count = 0
                if not count:
                    self._ended = True
                    break
                total += count
                # One call gives one record. Less than was asked for is all of it.
                self._inside = count == room or bool(self._incoming.pending)
            if self._outgoing.pending:
                # The answer to a KeyUpdate. What cannot go out now is pending output.
                self._has_output = True
                self.flush()
        except OSError as error:
            self._has_output = True  # the alert that tells the peer why
            self._failure = error
        return total

    def _note_buffered_input(self, is_full: bool) -> None:
        """`is_full`: what was done last did not stop for want of records."""
        # A close_notify may come along with the last data, and then the socket stays silent: the
        # peer waits for ours.
        is_news = self._failure is not None or (self._ended and not self._end_is_told)
        has_input = is_news or len(self._plaintext) > 0 or self._pauses
        if is_full and not has_input:
            inside = self._session.pending() or self._incoming.pending
            has_input = bool(inside) or self.lower.has_buffered_input
        self.has_buffered_input = has_input

    def _take_plaintext(self, buffer: memoryview, size: int) -> int:
        count = min(size, len(self._plaintext))
        buffer[:count] = self._plaintext[:count]
        self._plaintext = self._plaintext[count:]
        return count

    def _read_lower(self) -> int:
        """Move ciphertext from the lower stream to the session; how much, 0 for none now."""
        if self._ended:
            return 0
        if self._own_scratch is not None:
            return self._read_through(self._own_scratch)
        spares = ciphertext.spares
        # A signal handler may read from another stream meanwhile.
        scratch = spares.pop() if spares else memoryview(bytearray(SIZE))
        try:
            return self._read_through(scratch)
        finally:
            spares.append(scratch)

    def _read_through(self, scratch: memoryview) -> int:
        count = self.lower.receive_into(scratch)
        if count is not None:
            self._take_in(scratch[:count], count < len(scratch))
        return count or 0

    def _take_in(self, ciphertext: bytes | memoryview, is_all: bool) -> None:
        if not len(ciphertext):
            self._ended = True
            self._incoming.write_eof()
            return
        self._drained = is_all
        self._ciphertext_read += len(ciphertext)
        missing = 64 - len(self.first_bytes)
        if missing > 0:
            self.first_bytes += bytes(ciphertext[:missing])
        self._inside = True
        self._feed(ciphertext)
