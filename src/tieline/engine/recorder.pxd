cdef class StatsRecorder:
    cdef readonly object _lock
    cdef tuple _present
    cdef object _last
    cdef Py_ssize_t _connects
    cdef object _further

    cpdef void connected(self, object connection, bint replaces=*) except *

    cpdef void settle(self) except *

    cpdef void ended(self, object connection) except *

    cdef void _put_down(self, object connection) except *

    cdef object _made(self)

    cpdef void dropped(self, Py_ssize_t count) except *

    cpdef void offline_dropped(self, Py_ssize_t count) except *

    cpdef void round_trip(self, double seconds) except *

    cpdef void reset(self) except *

    cpdef void abandon_after_fork(self) except *
