cimport cython

from tieline._flag cimport flag


cdef class FrameDecoder:
    cdef object data
    cdef const unsigned char *view
    cdef Py_ssize_t position
    cdef Py_ssize_t end
    cdef long long remaining
    cdef bytes key
    cdef bytearray head
    cdef readonly long long frames
    # Side by side in eight bytes: there is one of these for each connection.
    cdef flag in_frame
    cdef flag fin
    cdef flag rsv1
    cdef flag expect_masked
    cdef public flag allow_rsv1
    cdef public flag is_deaf
    cdef unsigned char opcode
    cdef unsigned char kept

    cdef void prepare_decoder(self, bint expect_masked) except *

    cpdef void feed(self, object data, Py_ssize_t end) except *

    cpdef bint has_unread(self) noexcept

    cpdef void keep(self) except *

    cdef bint read_header(self) except -1

    @cython.locals(head=bytearray)
    cdef void _keep_head(self) except *

    @cython.locals(head=bytearray)
    cdef bint _complete_header(self) except -1

    @cython.locals(
        first=cython.uint, second=cython.uint, length=cython.longlong, size=cython.int, i=cython.int
    )
    cdef int _parse(self, const unsigned char *view, Py_ssize_t position, Py_ssize_t available) except -1

    @cython.locals(opcode=cython.uint)
    cdef int _check(self, unsigned int first, unsigned int second) except -1

    cdef Py_ssize_t available(self) noexcept

    @cython.locals(count=Py_ssize_t, start=Py_ssize_t)
    cdef object take(self)

    @cython.locals(start=Py_ssize_t, stop=Py_ssize_t)
    cdef bytes take_bytes(self)

    cpdef int received(self, Py_ssize_t count) except -1

    cdef void advance(self, Py_ssize_t count) noexcept
