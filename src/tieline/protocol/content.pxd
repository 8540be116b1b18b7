cimport cython

cdef Py_ssize_t _DIRECT


cdef class MessageContent:
    cdef bint decode_text
    cdef public bint is_text
    cdef long long size
    cdef long long fragments
    cdef long long wire_size
    cdef Py_ssize_t arrived
    cdef bint is_compressed
    cdef bint is_streamed
    cdef long long decoded
    cdef bytes cut
    cdef object text
    cdef object binary
    cdef object storage
    cdef bint is_wide
    cdef bint was_wide
    cdef bint is_direct
    cdef long long stored_before
    cdef readonly long long waiting

    cpdef void add(self, object piece) except *

    cpdef object target(self, long long wanted)

    cpdef void received(self, Py_ssize_t count) except *

    @cython.locals(room=cython.longlong)
    cpdef void store(self, Py_ssize_t arrived, long long missing) except *

    cdef void _stored(self, Py_ssize_t count) except *

    cdef void _decode(self, object piece) except *

    cdef void _add_text(self, object text) except *

    cpdef object take(self)

    cpdef object finish(self)

    cpdef void release(self) except *
