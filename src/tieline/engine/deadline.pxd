cdef class Deadline:
    cdef object _session
    cdef object _timer
    cdef readonly double reached

    cpdef bint is_covered(self, object when) except -1

    cpdef void set(self, object when) except *

    cpdef void cancel(self) except *
