from tieline._flag cimport flag
from tieline.engine.stock cimport Stock


cdef class Inbox(Stock):
    cdef object _taken
    cdef tuple _cut
    cdef Py_ssize_t _dropped
    cdef flag _skips_chunks

    cpdef void messages(self, list batch) except *

    cdef void _keep_behind(self, list batch) except *

    cpdef void chunk(self, object chunk) except *

    cpdef void begin(self) except *

    cpdef void cut(self, object info) except *

    cpdef void end(self, object info) except *

    cpdef void discard_rest(self) except *

    cpdef bint hold_back(self) except -1

    cpdef void go_on(self) except *

    cpdef void tell(self) except *

    cpdef object take(self)

    cdef list _that_fit(self, list batch)

    cdef object _next(self)

    cdef bint _is_reading(self) except -1

    cdef void _remove_chunks(self) except *

    cdef void _go_back(self) except *
