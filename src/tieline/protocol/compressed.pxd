cimport cython

from tieline.protocol.inflater cimport Inflater
from tieline.protocol.plain cimport PlainMessages

cdef Py_ssize_t _LONGEST
cdef Py_ssize_t _CACHED_BYTES
cdef Py_ssize_t _CACHED_MESSAGES


cdef class WholeMessages(PlainMessages):
    cdef Inflater inflater
    cdef long long run_size

    cdef void prepare_whole(
        self, bint expect_masked, object max_message_size, bint decode_text
    ) except *

    @cython.locals(inflater=Inflater, position=Py_ssize_t)
    cdef bint take_whole(self, list batch, const unsigned char *view) except -1

    @cython.locals(
        inflater=Inflater, position=Py_ssize_t, end=Py_ssize_t,
        limit=Py_ssize_t, longest=Py_ssize_t, room=Py_ssize_t,
        before=Py_ssize_t, decode_text=cython.bint, is_text=cython.bint, size=Py_ssize_t,
        start=Py_ssize_t
    )
    cdef bint _take_compressed(self, list batch, const unsigned char *view) except -1
