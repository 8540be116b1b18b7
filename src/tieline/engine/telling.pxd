from tieline.engine.delivery cimport Delivery


cdef class Teller:
    cdef Delivery _delivery
    cdef long long _connection_id
    cdef object _log
    cdef object _now
    cdef object _owner
    cdef readonly bint is_heard
    cdef object _low_throughput
    cdef readonly object slow_send
    cdef readonly bint shows_frames


cdef class _Nobody(Teller):
    pass
