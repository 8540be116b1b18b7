cimport cython


cdef class Outbox:
    cdef readonly list chunks
    cdef readonly long long size
    cdef readonly long long written
    cdef readonly bint is_adding
    cdef public long long offered

    @cython.locals(chunks=list, size=cython.longlong, was_adding=bint)
    cpdef long long extend_from(self, object take) except -1

    @cython.locals(pieces=cython.int, size=cython.longlong, taken=cython.longlong)
    cpdef bint write_to(self, object stream) except -1

    cdef object _begin_piece(self, object frame)

    cpdef void clear(self) except *
