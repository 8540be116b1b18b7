cdef class Forkables:
    cdef readonly list _references
    cdef Py_ssize_t _enough
    cdef Py_ssize_t _clearings
    cdef readonly object _lock

    cpdef void add(self, object forkable) except *

    cdef void _clear(self) except *

    cpdef void abandon_after_fork(self) except *
