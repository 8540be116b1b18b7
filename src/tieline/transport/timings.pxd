cdef class Timings:
    cdef double _dns
    cdef double _tcp
    cdef double _proxy
    cdef double _tls
    cdef double _upgrade
    cdef double _total

    cpdef add(self, str phase, double seconds)
    cpdef end(self, double seconds)


cdef double _sum(double before, double seconds) noexcept
