from tieline.engine.short_way cimport HasLane, ShortWay


cdef ShortWay _lane_of(HasLane session)


cdef class ShortSend:
    cdef public object _line


cdef class ShortReceive(ShortSend):
    pass
