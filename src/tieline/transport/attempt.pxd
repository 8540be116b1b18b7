cimport cython

from tieline.transport.timings cimport Timings


cdef class Attempt:
    cdef public object clock
    cdef public object timeout
    cdef public str bound
    cdef object _on_event
    cdef double _started
    cdef double _deadline
    cdef public object destination
    cdef public object phase
    cdef object _doing
    cdef readonly Timings spent
    cdef Py_ssize_t _phases
    cdef double _charged_until
    cdef public object peer
    cdef public object local
    cdef public object tls
    cdef public object proxy
    cdef public object proxy_answer
    cdef object _lock
    cdef object _wakeup
    cdef bint _is_woken
    cdef bint _closed
    cdef bint _cancelled

    cpdef tuple begin_phase(self, phase, doing)
    cpdef end_phase(self, tuple outer)
    cdef _charge(self)
    cpdef remaining(self)
    cpdef check(self)
    cpdef bint wait(self, descriptor, bint readable=*, bint writable=*, until=*) except -1
    cdef list _wait(self, list descriptors, int events, until, bint ends_when_woken=*)
    cdef double _left(self) except? -1
    @cython.locals(pause=double, milliseconds=int)
    cdef int _pause(self, double longest, until) except? -1


cdef class Phase:
    cdef Attempt _attempt
    cdef object _phase
    cdef object _doing
    cdef tuple _outer
