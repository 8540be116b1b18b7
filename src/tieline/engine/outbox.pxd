cimport cython

from tieline._flag cimport flag


cdef class Outbox:
    cdef readonly list chunks
    cdef readonly long long unwritten
    cdef readonly long long written
    cdef public long long offered
    cdef readonly flag is_adding

    cdef void _init_outbox(self) except *

    cpdef void add(self, object chunk) except *

    cdef void _begin(self, list fresh) except *

    @cython.locals(chunks=list, fresh=list, size=cython.longlong, was_adding=bint)
    cpdef long long extend_from(self, object take) except -1

    @cython.locals(chunks=list, begun=cython.longlong, size=cython.longlong, taken=cython.longlong)
    cpdef bint write_to(self, object stream) except -1

    @cython.locals(chunks=list)
    cpdef void clear(self) except *


cdef object _begin_piece(list chunks, object frame)

cdef object _gather(list chunks)
