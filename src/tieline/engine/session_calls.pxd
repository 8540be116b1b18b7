from tieline.engine.driving cimport Driver
from tieline.engine.pump cimport Pump


cdef class SessionCalls(Pump):
    cdef readonly Driver driver
    cdef object _owner
    cdef object _heartbeat
    cdef object _heartbeat_message

    cpdef bint in_handler(self) except -1

    cpdef bint may_end_anywhere(self) except -1

    cpdef void watch(self) except *

    cdef void _on_reactor(self, object function) except *
