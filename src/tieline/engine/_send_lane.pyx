# cython: language_level=3, freethreading_compatible=True
"""Small messages → the kernel, with nothing in between: the short way out of one session."""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno

from tieline.engine._kernel cimport (
    HAS_GIL,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    PyGC_Disable,
    PyGC_Enable,
    c_send,
    clock,
)
from tieline.engine._run_lane cimport RunLane, is_timed
from tieline.engine._small cimport (
    HEADER,
    LARGEST,
    Small,
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


cdef class SendLane(RunLane):
    """A message that is sent alone: one system call, from the stack."""

    def __init__(self, int descriptor, layer, Sender sender, bint may_send):
        # Over TLS a frame is one record: what takes more might be taken in parts.
        RunLane.__init__(self, sender, may_send, LARGEST if layer is None else LARGEST - HEADER)
        self.descriptor = descriptor
        self.layer = layer

    cpdef bint send(self, object message) except -1:
        """Send a whole message if nothing is in the way. False: nothing was done. Any thread.

        Raises as `Sender.message` does.
        """
        cdef Small small = small_of(message)
        if not is_taken(small, self.limit):
            return False
        if (
            HAS_GIL
            and self.gathered is not None
            and self._adds(small.opcode, small.payload, small.size)
        ):
            return True
        self.lock.enter()
        try:
            return self._send(small.opcode, small.payload, small.size)
        finally:
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
                if not self._gather(opcode, payload, size):
                    return False
                if sender._gathering_until == 0.0 or is_timed(sender._gathered + 1):
                    now = clock()
                if not sender._gathers(now):
                    self._end_run()
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
