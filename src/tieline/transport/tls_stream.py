"""TLS over a byte stream → a byte stream.

This is not `ssl.SSLSocket`, because a TLS session must never be used by two threads at once:
concurrent use of one deadlocks or crashes in several Python releases (python/cpython#137583).
"""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tieline.transport.stream import Stream

#: Read from the socket below TLS at once, and encrypted at once before the kernel must take it.
#: 16 full TLS records: enough to make the cost of a call vanish.
_PIECE = 256 * 1024


class _Scratch(threading.local):
    """Ciphertext on its way to a session: one buffer per thread, not one per stream."""

    def __init__(self) -> None:
        self.memory = memoryview(bytearray(_PIECE))


ciphertext = _Scratch()


class TLSStream:
    """TLS over any stream, in memory: records come from and go to `lower`, which it owns.

    First call `handshake()` until it is True. Output is bounded: while ciphertext is pending, no
    new plaintext is taken. A stream that ends without close_notify ends like any other (0): the
    protocols above have an end of their own, which shows whether something is missing.
    """

    def __init__(self, lower: Stream, context: ssl.SSLContext, server_hostname: str) -> None:
        #: Replaced when the connection below has moved to another kind of stream.
        self.lower = lower
        self.peer = lower.peer
        self.local = lower.local
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(
            self._incoming, self._outgoing, server_side=False, server_hostname=server_hostname
        )
        # typeshed knows only the form that returns bytes.
        self._read_into: Callable[[int, memoryview], int] = self._session.read  # type: ignore[assignment]
        self._tls: dict[str, Any] | None = None

        # Read side.
        self._ciphertext_read = 0
        # TLS over TLS (through an https proxy): the inner session is busy with the shared buffer
        # while it fills this one.
        layered = isinstance(lower, TLSStream)
        self._own_scratch = memoryview(bytearray(_PIECE)) if layered else None
        self._plaintext = memoryview(b"")  # decrypted before shutdown_write, not yet asked for
        self._more_inside = False  # the last read stopped for want of room, not of records
        self._ended = False  # close_notify, or the end of the lower stream
        self._end_is_told = False
        self._failure: OSError | None = None  # to be raised once what came before it is read
        #: What the peer sent first, for telling a plain-text server from a TLS one.
        self.first_bytes = b""

        # Write side.
        self._ciphertext = memoryview(b"")
        self._shut_down = False

    def fileno(self) -> int:
        return self.lower.fileno()

    @property
    def tls(self) -> dict[str, Any] | None:
        return self._tls

    def handshake(self) -> bool:
        """One step: True when done, False when the descriptor must be waited for.

        Raises `ssl.SSLError`, or another OSError of the lower stream.
        """
        while True:
            try:
                self._session.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                if not self._read_lower() and not self._ended:
                    return False
            except ssl.SSLError:
                # The alert tells the server why; the error that matters is this one.
                with suppress(OSError):
                    self.flush()
                raise
        if not self.flush():
            return False
        self._tls = _session_facts(self._session)
        return True

    def receive_into(self, buffer: memoryview) -> int | None:
        if not len(buffer):
            raise ValueError("the buffer is empty, so 0 would not mean the end of the stream")
        total = self._take_plaintext(buffer)
        if self._failure is None:
            total += self._decrypt(buffer[total:])
        if total:
            return total
        if self._failure is not None:
            raise self._failure
        self._end_is_told = self._ended
        return 0 if self._ended else None

    @property
    def hidden_input(self) -> int:
        return self._ciphertext_read + self.lower.hidden_input

    @property
    def has_buffered_input(self) -> bool:
        if len(self._plaintext) or self._failure is not None:
            return True
        if self._ended and not self._end_is_told:
            # A close_notify may come along with the last data, and then the socket stays silent:
            # the peer waits for ours.
            return True
        inside = self._session.pending() or self._incoming.pending or self.lower.has_buffered_input
        return self._more_inside and bool(inside)

    def send(self, data: bytes | bytearray | memoryview) -> int:
        view = memoryview(data).cast("B")
        taken = 0
        while taken < len(view) and self.flush():
            try:
                taken += self._session.write(view[taken : taken + _PIECE])
            except ssl.SSLWantReadError:
                break  # a renegotiation of TLS 1.2 wants the peer's bytes first
        self.flush()
        return taken

    @property
    def has_pending_output(self) -> bool:
        pending = len(self._ciphertext) or self._outgoing.pending
        return bool(pending) or self.lower.has_pending_output

    @property
    def pending_size(self) -> int:
        return len(self._ciphertext) + self._outgoing.pending + self.lower.pending_size

    def flush(self) -> bool:
        while True:
            if not len(self._ciphertext):
                if not self._outgoing.pending:
                    return self.lower.flush()
                self._ciphertext = memoryview(self._outgoing.read())
            sent = self.lower.send(self._ciphertext)
            if not sent:
                return False
            self._ciphertext = self._ciphertext[sent:]

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
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass  # all of them are read
        finally:
            self._plaintext = memoryview(bytes(kept))
        try:
            self._session.unwrap()
        except ssl.SSLWantReadError:
            pass  # it waits for the peer's close_notify; we do not
        self.flush()

    def _decrypt(self, buffer: memoryview) -> int:
        """Fill the buffer from as many records as there are: how many bytes.

        An error is kept, so that it does not take along the bytes that came before it.
        """
        total = 0
        drained = False  # the socket gave less than it was asked for: asking again is no use
        try:
            while total < len(buffer):
                try:
                    count = self._read_into(len(buffer) - total, buffer[total:])
                except ssl.SSLWantReadError:
                    if (drained and total) or not (count := self._read_lower()):
                        break
                    drained = count < _PIECE
                    continue
                except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                    count = 0
                if not count:
                    self._ended = True
                    break
                total += count
            if self._outgoing.pending:
                # The answer to a KeyUpdate. What cannot go out now is pending output.
                self.flush()
        except OSError as error:
            self._failure = error
        self._more_inside = total == len(buffer)
        return total

    def _take_plaintext(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._plaintext))
        if count:
            buffer[:count] = self._plaintext[:count]
            self._plaintext = self._plaintext[count:]
        return count

    def _read_lower(self) -> int:
        """Move ciphertext from the lower stream to the session; how much, 0 for none now."""
        if self._ended:
            return 0
        scratch = self._own_scratch or ciphertext.memory
        count = self.lower.receive_into(scratch)
        if count is None:
            return 0
        if count == 0:
            self._ended = True
            self._incoming.write_eof()
            return 0
        self._ciphertext_read += count
        if len(self.first_bytes) < 64:
            self.first_bytes += bytes(scratch[: min(count, 64 - len(self.first_bytes))])
        return self._incoming.write(scratch[:count])


def _session_facts(session: ssl.SSLObject) -> dict[str, Any]:
    cipher = session.cipher()
    certificate = session.getpeercert(binary_form=True) or b""
    # Only a verified certificate is decoded by the ssl module.
    subject: Any = (session.getpeercert() or {}).get("subject", ())
    names = [f"{key}={value}" for part in subject for key, value in part]
    return {
        "version": session.version(),
        "cipher": cipher[0] if cipher else None,
        "subject": ", ".join(names) or None,
        "fingerprint": hashlib.sha256(certificate).hexdigest() if certificate else None,
    }
