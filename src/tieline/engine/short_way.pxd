from tieline._flag cimport flag
from tieline.engine.receive_buffer cimport ReceiveBuffer


cdef class ShortWay:
    cdef readonly flag has_rest

    cpdef bint send(self, object message) except -1

    cpdef object recv(self)

    cpdef bint read(self, ReceiveBuffer memory) except -1
