from tieline.engine.callbacks cimport Callbacks
from tieline.engine.delivery cimport Delivery
from tieline.engine.recorder cimport StatsRecorder
from tieline.engine.session cimport Session
from tieline.engine.succession cimport Succession


cdef class Complaints:
    cdef readonly object options
    cdef readonly Callbacks callbacks
    cdef readonly Delivery delivery
    cdef readonly StatsRecorder recorder
    cdef readonly Succession succession
    cdef public Session session
    cdef tuple _dropped

    cpdef void on_dropped(self, object count) except *

    cpdef void log_dropped(self) except *
