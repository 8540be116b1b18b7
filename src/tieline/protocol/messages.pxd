cimport cython

from tieline._flag cimport flag
from tieline.protocol.compressed cimport WholeMessages
from tieline.protocol.content cimport MessageContent
from tieline.protocol.inflater cimport Inflater

cdef Py_ssize_t _LONGEST_RUN


cdef class MessageAssembler(WholeMessages):
    cdef long long max_fragments
    cdef MessageContent content
    cdef readonly object target
    cdef object chunk
    cdef bytes control_payload
    cdef object control
    cdef readonly object failure
    cdef flag streaming
    cdef flag is_inflating
    cdef flag is_frame_over
    cdef flag at_eof
    cdef unsigned char kind

    cpdef void enable_compression(self, Inflater inflater) except *

    cpdef void stream(self) noexcept

    cpdef bint has_more(self) noexcept

    cpdef int received_directly(self, Py_ssize_t count) except -1

    @cython.locals(batch=list)
    cpdef object next_batch(self)

    @cython.locals(
        content=MessageContent, count=Py_ssize_t, inflated=bytes, arrived=Py_ssize_t
    )
    cdef void _collect(self, list batch) except *

    cdef bint _is_stored(self) noexcept

    cdef object _whole_text(self, const unsigned char *view, Py_ssize_t start, Py_ssize_t stop)

    @cython.locals(content=MessageContent)
    cdef MessageContent _begin(self, int opcode, long long size, bint rsv1)

    @cython.locals(limit=cython.longlong, more=cython.longlong, most=cython.longlong)
    cdef long long _max_wire_size(self) noexcept

    @cython.locals(total=object)
    cdef object _too_many_bytes(self, long long before, long long size, str unit)

    cdef object _too_big(self, str what, object size, object limit, str option)

    cdef int _add(self, object piece, bint is_last) except -1

    @cython.locals(content=MessageContent, inflater=Inflater, room=cython.longlong, inflated=bytes, size=cython.longlong)
    cdef bytes _inflate(self)

    @cython.locals(content=MessageContent)
    cdef bint _is_whole(self, bytes inflated) noexcept

    @cython.locals(content=MessageContent)
    cdef void _finish(self, list batch) except *

    cdef void _count(self) noexcept

    @cython.locals(content=MessageContent)
    cdef void _hand_out(self) except *

    cdef object _take_chunk(self)

    cdef void _take_control(self) except *
