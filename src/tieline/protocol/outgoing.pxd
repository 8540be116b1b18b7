cimport cython

from tieline._flag cimport flag
from tieline.protocol.close cimport encode_close
from tieline.protocol.encoder cimport FrameEncoder


cdef class Outgoing(FrameEncoder):
    cdef public object close_info
    cdef public object deflater
    cdef list _ready
    cdef object _closed_with
    cdef object _pings
    cdef object _held_pong
    cdef long long _messages
    cdef long long _payload_bytes
    cdef long long _pongs_sent
    cdef public flag is_open
    cdef readonly flag is_congested
    cdef unsigned char _fragmenting
    cdef flag _fragments_compressed
    cdef flag _compressing
    cdef flag _is_ahead

    @cython.locals(size=Py_ssize_t)
    cpdef object message(self, int opcode, object payload, object compress=*)

    @cython.locals(size=Py_ssize_t, bits=cython.int)
    cdef int _compressed(
        self, object deflater, int opcode, object payload, bint fin, int fragmenting
    ) except -1

    cdef void _queue(self, object frame) except *

    cdef object _frame(self, int opcode, object payload, bint fin)

    cdef object _big_frame(self, int opcode, object payload, bint fin)

    cpdef void set_congested(self, bint congested) except *

    cpdef void check_open(self) except *
