from libc.stdint cimport uint8_t

from tieline._flag cimport flag
from tieline.engine._lock cimport ReentrantLock
from tieline.engine.sender cimport Sender
from tieline.engine.short_way cimport ShortWay
from tieline.protocol.outgoing cimport Outgoing


cdef class SendLane(ShortWay):
    # The session's.
    cdef ReentrantLock lock
    cdef Sender sender
    # TLS over the socket, or None. (Not typed: that would load all of TLS with this.)
    cdef object layer
    # The last of what waits in the sender, where a further message may be put.
    cdef bytearray gathered
    # The thread that is calling handlers now, or 0.
    cdef unsigned long deliverer
    cdef int descriptor
    # Larger payloads go the general way.
    cdef unsigned short limit
    cdef unsigned char sends
    cdef flag may_send
    cdef flag is_open

    cpdef bint send(self, object message) except -1

    cdef bint _send(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1

    cdef ssize_t _write(self, const uint8_t *frame, Py_ssize_t total, bint *is_held) except -2

    cdef bint _is_clear(self) except -1

    cdef bint _has_waiting(self) noexcept

    cdef bint _is_corked(self) noexcept

    cdef Py_ssize_t _keep(
        self, const uint8_t *frame, Py_ssize_t total, ssize_t taken, Py_ssize_t size
    ) except -1

    cdef int _add_rest(self, bytes rest) except -1

    cdef int _gather(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1
