from tieline.engine.short_way cimport HasSession


cdef class ShortSend:
    cdef public HasSession _line


cdef class ShortReceive(ShortSend):
    pass
