from tieline.transport.attempt cimport Attempt
from tieline.transport.timings cimport Timings


cdef class Record:
    cdef public str url
    cdef object _asked
    cdef bytes _key
    cdef public object answer
    cdef readonly object peer
    cdef object _near
    cdef unsigned short _near_port
    cdef bint _is_shared
    cdef Timings _spent
    cdef dict _further

    cpdef begin(self, Attempt attempt)
    cpdef end(self, Attempt attempt)
    cpdef asked(self, request, str key, bint is_shared)
