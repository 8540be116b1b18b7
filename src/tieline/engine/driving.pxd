from tieline._flag cimport flag
from tieline.engine.pump cimport Pump


cdef class Driver:
    cdef Pump _session
    cdef object _look_at
    cdef public object thread
    cdef public object after
    cdef object _wakeup
    cdef object _wait
    cdef public unsigned int drives
    cdef unsigned int _drives_seen
    cdef readonly flag is_driven
    cdef readonly flag is_closed
    cdef public flag closes
    cdef flag _woken
