cimport cython

from tieline.protocol.compressed cimport WholeMessages
from tieline.protocol.content cimport MessageContent
from tieline.protocol.decoder cimport FrameDecoder
from tieline.protocol.inflater cimport Inflater


cdef class MessageAssembler(WholeMessages):
    cdef long long max_wire_size
    cdef long long max_fragments
    cdef bint streaming
    cdef int kind
    cdef long long size
    cdef long long fragments
    cdef MessageContent content
    cdef bint is_compressed
    cdef long long wire_size
    cdef bint is_inflating
    cdef bint is_streamed
    cdef readonly object target
    cdef Py_ssize_t arrived
    cdef bint is_frame_over
    cdef object chunk
    cdef bytes control_payload
    cdef object control
    cdef readonly object failure

    cpdef void enable_compression(self, Inflater inflater) except *

    cpdef void stream(self) noexcept

    @cython.locals(decoder=FrameDecoder)
    cpdef bint has_more(self) noexcept

    cpdef int received_directly(self, Py_ssize_t count) except -1

    @cython.locals(batch=list)
    cpdef object next_batch(self)

    @cython.locals(decoder=FrameDecoder, count=Py_ssize_t, inflated=bytes)
    cdef void _collect(self, list batch) except *

    cdef bint _is_direct(self, long long missing) except -1

    cdef object _whole_text(self, const unsigned char *view, Py_ssize_t start, Py_ssize_t stop)

    cdef int _begin(self, int opcode, long long size, bint rsv1) except -1

    @cython.locals(total=object)
    cdef object _too_many_bytes(self, long long before, long long size, str unit)

    cdef object _too_big(self, str what, object size, object limit, str option)

    cdef int _add(self, object piece, bint is_last) except -1

    @cython.locals(inflater=Inflater, room=cython.longlong, inflated=bytes, size=cython.longlong)
    cdef bytes _inflate(self)

    @cython.locals(decoder=FrameDecoder)
    cdef bint _is_whole(self, bytes inflated) noexcept

    cdef void _finish(self, list batch) except *

    cdef void _count(self) noexcept

    cdef void _hand_out(self) except *

    cdef object _take_chunk(self)

    @cython.locals(decoder=FrameDecoder)
    cdef void _take_control(self) except *
