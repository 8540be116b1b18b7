# cython: language_level=3, freethreading_compatible=True
"""Small messages → the kernel, with nothing in between: the short way out of one session."""

import os

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memcpy

from tieline.engine._kernel cimport (
    HAS_GIL,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    PyGC_Disable,
    PyGC_Enable,
    PyThread_get_thread_ident,
    PyUnicode_1BYTE_DATA,
    PyUnicode_GET_LENGTH,
    PyUnicode_IS_COMPACT_ASCII,
    c_send,
    clock,
)
from tieline.engine._lock cimport ReentrantLock
from tieline.engine.sender cimport Sender
from tieline.engine.short_way cimport ShortWay
from tieline.protocol._masking cimport xor

cdef enum:
    # Payloads up to this many bytes are masked on the stack.
    LARGEST = 16384
    # The longest header of such a frame, its key included.
    HEADER = 8
    # What a run's answers are gathered into, in bytes, before a further buffer is begun.
    GATHERED = 65536
    # Of so many sends one is timed, and counts for all of them.
    SAMPLE = 16


cdef inline Py_ssize_t frame_size(Py_ssize_t size, bint masked) noexcept nogil:
    """What a whole message of so many bytes becomes. Up to 64 KiB of payload."""
    return size + (2 if size < 126 else 4) + (4 if masked else 0)


cdef inline Py_ssize_t write_header(
    uint8_t *head, int opcode, Py_ssize_t size, bint masked
) noexcept nogil:
    """A whole message's header, without the key: its length. Up to 64 KiB of payload."""
    head[0] = 0x80 | opcode
    if size < 126:
        head[1] = (0x80 if masked else 0) | size
        return 2
    head[1] = (0x80 if masked else 0) | 126
    head[2] = size >> 8
    head[3] = size & 0xFF
    return 4


cdef inline int prepare_key(Outgoing outgoing) except -1:
    """Have a key for the next message. All that can fail."""
    if outgoing.masked and outgoing.used + 4 > PyBytes_GET_SIZE(outgoing.pool):
        outgoing._refill()
    return 0


cdef inline Py_ssize_t write_payload(
    Outgoing outgoing, uint8_t *target, const uint8_t *payload, Py_ssize_t size
) noexcept:
    """A whole message behind its header, the key first, and count it: how many bytes."""
    cdef Py_ssize_t key = 0
    if outgoing.masked:
        key = 4
        memcpy(target, PyBytes_AS_STRING(outgoing.pool) + outgoing.used, 4)
        outgoing.used += 4
        xor(target + 4, payload, size, target, 0)
    else:
        memcpy(target, payload, size)
    outgoing.frames += 1
    outgoing._messages += 1
    outgoing._payload_bytes += size
    return key + size


cdef class SendLane:
    """The short way that nearly every message can take, made when the session is open.

    It looks if anything is out of the ordinary, and leaves all that is to the general way (`Sender`),
    with which it shares every buffer and counter. No Python code runs between its steps, so no
    signal handler comes in between either. Every method takes the session's lock.
    """

    def __init__(self, int descriptor, layer, Sender sender, bint may_send):
        self.descriptor = descriptor
        self.layer = layer
        self.is_open = True
        self.lock = sender._lock
        self.may_send = may_send
        self.sender = sender
        # Over TLS a frame is one record: what takes more might be taken in parts.
        self.limit = LARGEST if layer is None else LARGEST - HEADER
        deflater = sender._outgoing.deflater
        if deflater is not None and deflater.threshold <= self.limit:
            if deflater.threshold == 0:
                self.may_send = False  # even the empty ones are to be compressed
            else:
                self.limit = deflater.threshold - 1

    def close(self):
        """Nothing goes this way any more. With the lock held."""
        self.is_open = self.may_send = False

    def abandon_after_fork(self, ReentrantLock lock):
        """In a child process, maybe below a handler: the parent's lock may be held for ever."""
        self.is_open = self.may_send = False
        self.lock = lock

    cpdef bint send(self, object message) except -1:
        """Send a whole message if nothing is in the way. False: nothing was done. Any thread.

        Raises as `Sender.message` does.
        """
        cdef const uint8_t *payload
        cdef Py_ssize_t size
        cdef int opcode
        if type(message) is bytes:
            opcode = 2
            size = PyBytes_GET_SIZE(message)
            payload = <const uint8_t *>PyBytes_AS_STRING(message)
        elif type(message) is str and PyUnicode_IS_COMPACT_ASCII(message):
            opcode = 1
            size = PyUnicode_GET_LENGTH(message)
            payload = <const uint8_t *>PyUnicode_1BYTE_DATA(message)
        else:
            return False
        if size > self.limit:
            return False
        self.lock.enter()
        try:
            return self._send(opcode, payload, size)
        finally:
            self.lock.leave()

    def send_run(self, list messages):
        """Send those at the beginning that nothing is in the way of, together. Any thread.

        They are taken out of the list, also when it raises, as `Sender.message` does.
        """
        cdef Py_ssize_t size, total = 0, done = 0
        self.lock.enter()
        try:
            if not self._is_clear() or (self._has_waiting() and not self._is_corked()):
                return
            for message in messages:
                if type(message) is bytes:
                    size = PyBytes_GET_SIZE(message)
                    if size > self.limit:
                        break
                    self._gather(2, <const uint8_t *>PyBytes_AS_STRING(message), size)
                elif type(message) is str and PyUnicode_IS_COMPACT_ASCII(message):
                    size = PyUnicode_GET_LENGTH(message)
                    if size > self.limit:
                        break
                    self._gather(1, <const uint8_t *>PyUnicode_1BYTE_DATA(message), size)
                else:
                    break
                done += 1
                total += size
                if self.sender.unwritten >= self.sender._write_limit:
                    self.sender._push(size)
                # A write may have waited for room, and been told of the end.
                if not self._is_clear():
                    break
            if self.sender.unwritten:
                self.sender._push(total)
        finally:
            del messages[:done]
            self.lock.leave()

    cdef bint _send(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1:
        cdef uint8_t frame[LARGEST + HEADER]
        cdef Py_ssize_t start, total
        cdef ssize_t taken
        cdef bint is_held = False
        cdef double started
        cdef double now = 0.0  # not looked at: who sends so much is quick
        cdef Sender sender = self.sender
        cdef Outgoing outgoing = sender._outgoing
        if not self._is_clear():
            return False
        if sender._corked:
            if sender._left_at_once == 0 and self._is_corked():
                self._gather(opcode, payload, size)
                if sender._gathering_until == 0.0 or sender._gathered < SAMPLE or (
                    sender._gathered % SAMPLE == 0
                ):
                    now = clock()
                if not sender._gathers(now):
                    self.gathered = None
                    sender._write()
                return True
            if self._has_waiting():
                return False
            if sender._left_at_once:
                sender._left_at_once -= 1
        elif self._has_waiting():
            return False
        prepare_key(outgoing)
        start = write_header(frame, opcode, size, outgoing.masked)
        total = start + write_payload(outgoing, frame + start, payload, size)
        self.sends += 1
        if self.sends % SAMPLE:
            taken = self._write(frame, total, &is_held)
        else:
            started = clock()
            taken = self._write(frame, total, &is_held)
            sender.seconds += SAMPLE * (clock() - started)
        if taken == total and not is_held:
            sender.written += total
        elif sender.error is None:
            self._keep(frame, total, taken, size)
        return True

    cdef ssize_t _write(self, const uint8_t *frame, Py_ssize_t total, bint *is_held) except -2:
        """How much was taken; -1: nothing, `errno` says why unless the sender knows already.

        `is_held`: not by the kernel yet.
        """
        cdef bytes sealed
        cdef Py_ssize_t size
        cdef ssize_t written
        cdef int reason
        # Without letting go of the interpreter: what does not wait is over sooner than that.
        if self.layer is None:
            return c_send(self.descriptor, frame, total, MSG_DONTWAIT | MSG_NOSIGNAL)
        try:
            sealed = self.layer.seal(frame[:total])
        except OSError as error:
            self.sender._break(error)
            return -1
        if sealed is None:
            return 0
        size = PyBytes_GET_SIZE(sealed)
        written = c_send(
            self.descriptor, PyBytes_AS_STRING(sealed), size, MSG_DONTWAIT | MSG_NOSIGNAL
        )
        if written == size:
            return total
        if written < 0:
            reason = errno
            if reason != EAGAIN and reason != EINTR:
                self.sender._break(OSError(reason, os.strerror(reason)))
                return -1
            written = 0
        is_held[0] = True
        self.layer.keep(sealed, written)
        return total

    cdef bint _is_clear(self) except -1:
        """Could a message of somebody be written now, as far as the connection goes?"""
        cdef Sender sender = self.sender
        cdef Outgoing outgoing = sender._outgoing
        return (
            self.may_send
            and outgoing.is_open
            and not outgoing._fragmenting
            and sender.error is None
            and not sender._flushing
            and not sender.blocked
            and not sender.is_adding
            and (sender._ledger is None or not sender._has_noted())
        )

    cdef bint _has_waiting(self) noexcept:
        """Would a message have to wait for others?"""
        return self.sender.unwritten > 0 or self.sender._outgoing._ready is not None

    cdef bint _is_corked(self) noexcept:
        """Is the caller a handler, and what it sends may be gathered?"""
        return self.sender._corked and self.deliverer == PyThread_get_thread_ident()

    cdef Py_ssize_t _keep(
        self, const uint8_t *frame, Py_ssize_t total, ssize_t taken, Py_ssize_t size
    ) except -1:
        """The kernel did not take all of a frame, or has refused it."""
        cdef int error = errno
        if taken < 0 and error != EAGAIN and error != EINTR:
            self.sender._break(OSError(error, os.strerror(error)))
            return 0
        if taken < 0:
            taken = 0
        self.sender.written += taken
        if taken < total:
            self._add_rest(frame[taken:total])
        self.sender._push(size)
        return 0

    cdef int _add_rest(self, bytes rest) except -1:
        """Of a frame: nothing may be sent before it. A finalizer would, if garbage were collected."""
        cdef bint collects = HAS_GIL and PyGC_Disable()
        try:
            self.sender.add(rest)
        finally:
            if collects:
                PyGC_Enable()
        return 0

    cdef int _gather(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1:
        """Put a handler's message to the others of this run."""
        cdef bytearray gathered = self.gathered
        cdef Sender sender = self.sender
        cdef Outgoing outgoing = sender._outgoing
        cdef Py_ssize_t before
        cdef Py_ssize_t added = frame_size(size, outgoing.masked)
        cdef uint8_t *end
        prepare_key(outgoing)
        if outgoing._ready is not None:
            sender.extend_from(outgoing.take)
        if gathered is None or not sender.chunks or sender.chunks[-1] is not gathered:
            self.gathered = gathered = bytearray()
            sender.add(gathered)
            prepare_key(outgoing)  # a finalizer may have sent, and taken the last one
        before = PyByteArray_GET_SIZE(gathered)
        PyByteArray_Resize(gathered, before + added)
        end = <uint8_t *>PyByteArray_AS_STRING(gathered) + before
        end += write_header(end, opcode, size, outgoing.masked)
        write_payload(outgoing, end, payload, size)
        sender.unwritten += added
        if before + added >= GATHERED:
            self.gathered = None
        return 0
