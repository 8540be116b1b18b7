cdef class ConnectionLog:
    cdef object _logger
    cdef readonly long long connection_id

    cpdef bint isEnabledFor(self, int level) except -1
