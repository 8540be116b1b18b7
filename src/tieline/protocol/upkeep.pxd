from tieline.protocol.keepalive cimport Keepalive


cdef class Upkeep(Keepalive):
    cdef object _heartbeat
    cdef object _random_bytes

    cpdef void begin(self, double now) except *

    cpdef object due_at(self)
