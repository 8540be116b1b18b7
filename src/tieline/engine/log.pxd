cdef class ConnectionLog:
    cdef object _logger
    cdef long long _connection_id

    cpdef bint isEnabledFor(self, int level) except -1
