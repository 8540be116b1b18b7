cdef class CallMemory:
    cdef Py_ssize_t _most
    cdef dict _made
    cdef dict _variants

    cpdef object find(self, first, others)
    cpdef void keep(self, first, others, made, bint variant=*) except *


cdef tuple _call(first, tuple names, tuple values)
