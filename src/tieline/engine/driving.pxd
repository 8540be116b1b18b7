cdef class Driver:
    cdef object _session
    cdef object _look_at
    cdef readonly bint is_driven
    cdef object _lock
    cdef public object thread
    cdef public unsigned long long drives
    cdef unsigned long long _drives_seen
    cdef public object after
    cdef readonly bint is_closed
    cdef public bint closes
    cdef object _wakeup
    cdef object _wait
    cdef bint _woken
    cdef object __weakref__
