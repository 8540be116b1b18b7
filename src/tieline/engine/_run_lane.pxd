from libc.stdint cimport uint8_t

from tieline._flag cimport flag
from tieline.engine._ident cimport thread_ident
from tieline.engine._lock cimport ReentrantLock
from tieline.engine._run_buffer cimport RunBuffer
from tieline.engine.sender cimport Sender
from tieline.engine.short_way cimport ShortWay

cdef enum:
    # What a run's answers are gathered into, in bytes, before a further buffer is begun.
    GATHERED = 65536


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

    cdef bint _gather(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1

    cdef Py_ssize_t _gather_some(
        self, list messages, Py_ssize_t first, Py_ssize_t *total
    ) except -1

    cdef RunBuffer _gathering(self)

    cdef int _has_gathered(self, RunBuffer gathered, Py_ssize_t added) except -1

    cdef int _end_run(self) except -1


cdef inline bint is_clear(RunLane lane) except -1:
    """Could a message of somebody be written now, as far as the connection goes?"""
    return (
        lane.may_send
        and lane.sender._outgoing.is_open
        and not lane.sender._outgoing._fragmenting
        and lane.sender.error is None
        and not lane.sender._flushing
        and not lane.sender.blocked
        and not lane.sender.is_adding
        and (lane.sender._ledger is None or not lane.sender._has_noted())
    )


cdef inline bint has_waiting(RunLane lane) noexcept:
    """Would a message have to wait for others?"""
    return lane.sender.unwritten > 0 or lane.sender._outgoing._ready is not None


cdef inline bint is_corked(RunLane lane) noexcept:
    """Is the caller a handler, and may what it sends be gathered?"""
    return lane.sender._corked and lane.deliverer == thread_ident()
