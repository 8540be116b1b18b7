from tieline.engine.short_way cimport HasLane, ShortWay
from tieline.engine.stock cimport Stock


cdef ShortWay _lane_of(HasLane session)


cdef class ShortSend:
    cdef public object _line


cdef class ShortReceive(ShortSend):
    pass


cdef class Iteration:
    cdef ShortReceive _front
    cdef Stock _inbox
    cdef object _waiting
    cdef object _popleft
