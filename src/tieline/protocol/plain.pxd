cimport cython

from tieline._flag cimport flag
from tieline.protocol._utf8 cimport decode_utf8  # what `decode` calls
from tieline.protocol.decoder cimport FrameDecoder

cdef Py_ssize_t _CACHED_BYTES
cdef Py_ssize_t _CACHED_MESSAGES


cdef class PlainMessages(FrameDecoder):
    cdef long long max_size
    cdef readonly long long messages
    cdef readonly long long message_bytes
    cdef flag decode_text

    cdef void prepare_plain(
        self, bint expect_masked, object max_message_size, bint decode_text
    ) except *

    @cython.locals(
        position=Py_ssize_t, end=Py_ssize_t,
        run_end=Py_ssize_t, last=Py_ssize_t, count=Py_ssize_t, payload=cython.longlong,
        is_text=cython.bint, size=cython.longlong, start=Py_ssize_t, stop=Py_ssize_t, i=Py_ssize_t,
        piece=bytes
    )
    cdef bint take_plain(self, list batch, const unsigned char *view) except -1
