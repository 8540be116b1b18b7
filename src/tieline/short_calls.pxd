cdef class ShortSend:
    cdef public object _line


cdef class ShortReceive(ShortSend):
    pass
