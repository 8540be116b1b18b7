cdef class CallMemory:
    cdef Py_ssize_t _most
    cdef dict _made

    cpdef object find(self, first, others)
    cpdef void keep(self, first, others, made) except *


cdef tuple _call(first, tuple names, tuple values)
