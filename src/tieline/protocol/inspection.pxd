cimport cython

from tieline.protocol.content cimport MessageContent
from tieline.protocol.inflater cimport Inflater
from tieline.protocol.messages cimport MessageAssembler


cdef class FrameInspector(MessageAssembler):
    cdef object frame_payload
    cdef object inspected
    cdef bint is_ending
    cdef bint of_compressed

    @cython.locals(inflater=Inflater, size=object)
    cpdef void skip(self) except *

    cpdef object next_batch(self)

    cdef object _next_frame(self)

    @cython.locals(content=MessageContent, room=cython.longlong, is_further=cython.bint)
    cdef void _check_frame(self, long long size) except *

    cdef object _accept(self, object frame)

    @cython.locals(batch=list)
    cdef object _rest_of_frame(self)
