cimport cython

from tieline.aio.arrivals cimport Woken
from tieline.engine.receive_buffer cimport ReceiveBuffer, SpareBuffers
from tieline.engine.short_way cimport ShortWay

cdef ShortWay NO_LANE


cdef class DescriptorWatch:
    cdef object _loop
    cdef object _registrant
    cdef object _now
    cdef Woken _woken
    cdef SpareBuffers _spares
    cdef ShortWay _lane
    cdef object _descriptor
    cdef bint _wants_input
    cdef bint _wants_room
    cdef bint _reads
    cdef bint _writes

    @cython.locals(memory=ReceiveBuffer, has_rest=bint)
    cpdef _on_readable(self)
    @cython.locals(lane=ShortWay, woken=Woken)
    cpdef bint _read(self, ReceiveBuffer memory) except -1
