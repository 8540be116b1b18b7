from tieline.engine.delivery cimport Delivery
from tieline.engine.session cimport Session


cdef class Complaints:
    cdef readonly object options
    cdef readonly object callbacks
    cdef readonly Delivery delivery
    cdef readonly object recorder
    cdef readonly object succession
    cdef readonly Session session
    cdef tuple _dropped

    cpdef void on_dropped(self, object count) except *

    cpdef void log_dropped(self) except *
