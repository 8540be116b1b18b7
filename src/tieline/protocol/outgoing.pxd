cimport cython

from tieline.protocol.encoder cimport FrameEncoder


cdef class Outgoing:
    cdef public bint is_open
    cdef public object close_info
    cdef public object deflater
    cdef bint _masks
    cdef FrameEncoder _encoder
    cdef list _ready
    cdef int _fragmenting
    cdef bint _fragments_compressed
    cdef bint _compressing
    cdef bint _is_ahead
    cdef object _pings
    cdef readonly bint is_congested
    cdef object _held_pong
    cdef long long _messages
    cdef long long _payload_bytes
    cdef long long _pings_sent
    cdef long long _pongs_sent

    @cython.locals(size=Py_ssize_t)
    cpdef object message(self, int opcode, object payload, object compress=*)

    @cython.locals(size=Py_ssize_t, bits=cython.int)
    cdef int _compressed(
        self, object deflater, int opcode, object payload, bint fin, int fragmenting
    ) except -1

    cdef object _frame(self, int opcode, object payload, bint fin)

    cdef object _big_frame(self, int opcode, object payload, bint fin)

    cpdef void set_congested(self, bint congested) except *

    cpdef void check_open(self) except *
