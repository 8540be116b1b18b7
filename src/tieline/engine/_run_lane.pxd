from libc.stdint cimport uint8_t

from tieline._flag cimport flag
from tieline.engine._lock cimport ReentrantLock
from tieline.engine.sender cimport Sender
from tieline.engine.short_way cimport ShortWay


cdef class RunLane(ShortWay):
    # The session's.
    cdef ReentrantLock lock
    cdef Sender sender
    # The last of what waits in the sender, where a further message may be put.
    cdef bytearray gathered
    # How many bytes it has asked for at once.
    cdef Py_ssize_t room
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

    cdef bint _gather(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1

    cdef Py_ssize_t _gather_some(
        self, list messages, Py_ssize_t first, Py_ssize_t *total
    ) except -1

    cdef bytearray _gathering(self)

    cdef uint8_t *_make_room(self, bytearray gathered, Py_ssize_t added) except NULL

    cdef int _has_gathered(self, bytearray gathered, Py_ssize_t added) except -1
