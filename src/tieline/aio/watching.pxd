cimport cython

from tieline.aio.arrivals cimport Woken


cdef class DescriptorWatch:
    cdef object _loop
    cdef object _registrant
    cdef object _now
    cdef Woken _woken
    cdef list _spares
    cdef object _lane
    cdef object _descriptor
    cdef bint _wants_input
    cdef bint _wants_room
    cdef bint _reads
    cdef bint _writes

    @cython.locals(spares=list, has_rest=bint)
    cpdef _on_readable(self)
    @cython.locals(woken=list)
    cpdef bint _read(self, object memory) except -1
