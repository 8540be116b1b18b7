cimport cython

from tieline.protocol.decoder cimport FrameDecoder


cdef class MessageAssembler:
    cdef FrameDecoder decoder
    cdef bint masked
    cdef bint decode_text
    cdef long long max_size
    cdef long long max_fragments
    cdef int kind
    cdef long long size
    cdef long long fragments
    cdef long long decoded
    cdef object text
    cdef bytes cut
    cdef object binary
    cdef bytes control_payload
    cdef object control
    cdef readonly object failure
    cdef object frame_payload
    cdef readonly long long messages
    cdef readonly long long message_bytes

    @cython.locals(batch=list)
    cpdef object next_batch(self)

    @cython.locals(
        decoder=FrameDecoder, opcode=cython.int, size=cython.longlong, start=Py_ssize_t, stop=Py_ssize_t
    )
    cdef void _collect(self, list batch) except *

    cdef object _whole_text(self, Py_ssize_t start, Py_ssize_t stop)

    cdef int _begin(self, int opcode, long long size) except -1

    @cython.locals(total=object)
    cdef int _check_size(self, long long size) except -1

    cdef int _add(self, object piece) except -1

    cdef object _finish(self)

    @cython.locals(decoder=FrameDecoder)
    cdef bint _take_control(self) except -1
