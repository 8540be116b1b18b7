from libc.stdint cimport uint8_t

from tieline.engine._lock cimport ReentrantLock
from tieline.engine.outbox cimport Outbox
from tieline.engine.sender cimport Sender
from tieline.engine.short_way cimport ShortWay
from tieline.protocol.encoder cimport FrameEncoder
from tieline.protocol.outgoing cimport Outgoing


cdef class SendLane(ShortWay):
    cdef int descriptor
    # TLS over the socket, or None. (Not typed: that would load all of TLS with this.)
    cdef object layer
    cdef bint is_open
    # The session's.
    cdef ReentrantLock lock
    cdef bint may_send
    cdef Sender sender
    cdef Outgoing outgoing
    cdef Outbox outbox
    cdef FrameEncoder encoder
    # Larger payloads go the general way.
    cdef Py_ssize_t limit
    # The last of what waits in the outbox, where a further message may be put.
    cdef bytearray gathered
    cdef unsigned int sends
    # The thread that is calling handlers now.
    cdef unsigned long deliverer
    cdef bint is_delivering

    cpdef bint send(self, object message) except -1

    cdef bint _send(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1

    cdef ssize_t _write(self, const uint8_t *frame, Py_ssize_t total, bint *is_held) except -2

    cdef bint _is_clear(self) noexcept

    cdef bint _has_waiting(self) noexcept

    cdef bint _is_corked(self) noexcept

    cdef Py_ssize_t _mask(
        self, uint8_t *target, const uint8_t *payload, Py_ssize_t size
    ) except -1

    cdef void _count(self, Py_ssize_t size) noexcept

    cdef int _keep(
        self, const uint8_t *frame, Py_ssize_t total, ssize_t taken, Py_ssize_t size
    ) except -1

    cdef int _gather(self, int opcode, const uint8_t *payload, Py_ssize_t size) except -1
