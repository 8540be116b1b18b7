cdef class MessageContent:
    cdef bint decode_text
    cdef public bint is_text
    cdef long long decoded
    cdef bytes cut
    cdef object text
    cdef object binary
    cdef readonly long long waiting

    cpdef int add(self, object piece) except -1

    cpdef object take(self)

    cpdef object finish(self)

    cpdef void release(self) except *
