from libc.stdint cimport uint8_t

from tieline._flag cimport flag
from tieline.engine._lock cimport ReentrantLock
from tieline.engine._run_buffer cimport RunBuffer
from tieline.engine.sender cimport Sender
from tieline.engine.short_way cimport ShortWay


cdef inline bint is_timed(int number) noexcept:
    """Does that message of a run ask for the time? The first ones do: a handler may be slow."""
    return not number & 15 or (number < 16 and (number < 4 or not number & 3))


cdef class RunLane(ShortWay):
    # The session's.
    cdef ReentrantLock lock
    cdef Sender sender
    # The last of what waits in the sender, where a further message may be put.
    cdef RunBuffer gathered
    # How many bytes the last one came to.
    cdef int expected
    # The thread that is calling handlers now, or 0.
    cdef unsigned long deliverer
    # Larger payloads go the general way.
    cdef unsigned short limit
    cdef flag may_send
    cdef flag is_open

    cdef int _push(self, Py_ssize_t size) except -1

    cdef bint _is_clear(self) except -1

    cdef bint _has_waiting(self) noexcept

    cdef bint _is_corked(self) noexcept

    cdef bint _adds(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1

    cdef bint _gather(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1

    cdef Py_ssize_t _gather_some(
        self, list messages, Py_ssize_t first, Py_ssize_t *total
    ) except -1

    cdef RunBuffer _gathering(self)

    cdef int _has_gathered(self, RunBuffer gathered, Py_ssize_t added) except -1

    cdef int _end_run(self) except -1
