cdef class Inflater:
    cdef object new_context
    cdef object error
    cdef int window_bits
    cdef bint context_takeover
    cdef object context
    cdef bytes rest
    cdef bint is_last
    cdef readonly bint is_pending
    cdef bytes begun
    cdef Py_ssize_t produced

    cpdef void feed(self, bytes data, bint is_last) except *

    cpdef bytes inflate(self, Py_ssize_t limit)

    cdef object whole(
        self, const unsigned char *view, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t limit,
        bint as_text
    )

    cdef void run_ended(self) noexcept

    cdef int stream_ended(self, bytes unused) except -1

    cpdef void release(self) noexcept
