# cython: language_level=3, freethreading_compatible=True
"""Small messages → the kernel, with nothing in between: the short way out of one session."""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.errno cimport EAGAIN, EINTR, errno

from tieline.engine._ident cimport thread_ident
from tieline.engine._kernel cimport (
    HAS_GIL,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    PyGC_Disable,
    PyGC_Enable,
    c_send,
    clock,
    count_in,
    item_in,
)
from tieline.engine._run_lane cimport (
    GATHERED,
    RunLane,
    has_waiting,
    is_clear,
    is_corked,
    is_timed,
)
from tieline.engine._small cimport (
    HEADER,
    LARGEST,
    Small,
    frame_size,
    has_key,
    is_taken,
    prepare_key,
    small_of,
    write_header,
    write_payload,
)
from tieline.engine.sender cimport Sender
from tieline.protocol.outgoing cimport Outgoing

cdef enum:
    # Of so many sends one is timed, and counts for all of them.
    SAMPLE = 16
    # Payloads up to this many bytes are masked on the stack.
    ON_STACK = 16384
    # Over TLS a frame is one record: what takes more might be taken in parts.
    RECORD = 16384


cdef inline bint goes_alone(RunLane lane) except -1:
    """Can a message be sent at once, and by itself?"""
    return (
        is_clear(lane)
        and not has_waiting(lane)
        and has_key(lane.sender._outgoing)
        and not gathers(lane)
    )


cdef inline bint gathers(RunLane lane) noexcept:
    """Is the caller a handler, and what it sends now to be gathered?"""
    return is_corked(lane) and lane.sender._left_at_once == 0


cdef inline bint is_last(PyObject *it, PyObject *some) noexcept:
    """Is `it` the last of a list, which may be None?"""
    cdef Py_ssize_t count = 0 if some == <PyObject *>None else count_in(some)
    return count > 0 and item_in(some, count - 1) == it


cdef inline bint adds(RunLane lane, int opcode, const uint8_t *payload, Py_ssize_t size) except -1:
    """Put a handler's message to the others, if that takes nothing but memory, which is there.

    False: nothing was done. Where the lock is free it need not be taken, as nobody can come in
    between. Nor is anything referred to, as it cannot go away.
    """
    cdef Outgoing outgoing = lane.sender._outgoing
    cdef Py_ssize_t added = frame_size(size, outgoing.masked)
    cdef uint8_t *end
    if (
        # More than 0 from `_gather` until all is written, hence corked, and the stream unbroken.
        lane.sender._gathering_until == 0.0
        or lane.deliverer != thread_ident()
        or not lane.may_send
        or not outgoing.is_open
        or outgoing._fragmenting
        or outgoing._ready is not None
        or lane.sender.blocked
        or (lane.sender._ledger is not None and lane.sender._has_noted())
        or added > lane.gathered.room
        or lane.sender.unwritten + added >= min(GATHERED, lane.sender._write_limit)
        or not has_key(outgoing)
        or lane.gathered.views
        or not is_last(<PyObject *>lane.gathered, <PyObject *>lane.sender.chunks)
        or (
            is_timed(lane.sender._gathered + 1) and clock() >= lane.sender._gathering_until
        )
    ):
        return False
    end = lane.gathered.memory + lane.gathered.size
    end += write_header(end, opcode, size, outgoing.masked)
    write_payload(outgoing, end, payload, size)
    lane.gathered.size += added
    lane.gathered.room -= added
    lane.sender.unwritten += added
    lane.sender._gathered += 1
    return True


cdef class SendLane(RunLane):
    """A message that is sent alone: one system call, from memory that nobody else knows of."""

    def __init__(self, int descriptor, layer, Sender sender, bint may_send):
        RunLane.__init__(self, sender, may_send, LARGEST if layer is None else RECORD - HEADER)
        self.descriptor = descriptor
        self.layer = layer

    cpdef bint send(self, object message) except -1:
        """Send a whole message if nothing is in the way. False: nothing was done. Any thread.

        Raises as `Sender.message` does.
        """
        cdef Small small = small_of(message)
        if not is_taken(small, self.limit):
            return False
        # In C and with the interpreter nobody comes in between: a free lock need not be taken.
        if HAS_GIL and self.lock.owner == 0:
            if self.gathered is not None and adds(self, small.opcode, small.payload, small.size):
                return True
            if self.layer is None and goes_alone(self):
                return self._send_alone(small.opcode, small.payload, small.size)
        self.lock.enter()
        try:
            return self._send(small.opcode, small.payload, small.size)
        finally:
            self.lock.leave()

    cdef bint _send(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1:
        """The same, whatever it takes. With the lock held."""
        cdef double now = 0.0  # not looked at: who sends so much is quick
        cdef Sender sender = self.sender
        if not is_clear(self):
            return False
        if gathers(self):
            if not self._gather(opcode, payload, size):
                return False
            if sender._gathering_until == 0.0 or is_timed(sender._gathered + 1):
                now = clock()
            if not sender._gathers(now):
                self._end_run()
                sender._write()
            return True
        if has_waiting(self):
            return False
        prepare_key(sender._outgoing)
        return self._send_alone(opcode, payload, size)

    cdef bint _send_alone(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1:
        """Write a message; there is a key for it."""
        cdef uint8_t on_stack[ON_STACK + HEADER]
        cdef uint8_t *frame = on_stack
        cdef Py_ssize_t start, total
        cdef ssize_t taken
        cdef bint is_held = False
        cdef double started
        cdef Sender sender = self.sender
        cdef Outgoing outgoing = sender._outgoing
        if size > ON_STACK:
            frame = <uint8_t *>PyMem_Malloc(size + HEADER)
            if frame == NULL:
                raise MemoryError(f"no memory for a message of {size} bytes that is to be sent")
        if sender._corked and sender._left_at_once:
            sender._left_at_once -= 1
        start = write_header(frame, opcode, size, outgoing.masked)
        total = start + write_payload(outgoing, frame + start, payload, size)
        self.sends += 1
        # Over TLS this may raise, but what is not on the stack does not go there.
        if self.sends % SAMPLE:
            taken = self._write(frame, total, &is_held)
        else:
            started = clock()
            taken = self._write(frame, total, &is_held)
            sender.seconds += SAMPLE * (clock() - started)
        if taken == total and not is_held:
            sender.written += total
        elif sender.error is None:
            try:
                self._keep(frame, total, taken, size, errno)
            finally:
                if frame != on_stack:
                    PyMem_Free(frame)
            return True
        if frame != on_stack:
            PyMem_Free(frame)
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

    cdef int _keep(
        self, const uint8_t *frame, Py_ssize_t total, ssize_t taken, Py_ssize_t size, int error
    ) except -1:
        """The kernel did not take all of a frame, or has refused it."""
        self.lock.enter()
        try:
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
        finally:
            self.lock.leave()

    cdef int _add_rest(self, bytes rest) except -1:
        """Of a frame: nothing may be sent before it. A finalizer would, if garbage were collected."""
        cdef bint collects = HAS_GIL and PyGC_Disable()
        try:
            self.sender.add(rest)
        finally:
            if collects:
                PyGC_Enable()
        return 0
