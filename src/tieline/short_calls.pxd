from tieline.engine.complaints cimport Complaints
from tieline.engine.stock cimport Stock


cdef object _message_of(Complaints line)


cdef class ShortSend:
    cdef public Complaints _line


cdef class ShortReceive(ShortSend):
    pass


cdef class Iteration:
    cdef ShortReceive _front
    cdef Stock _inbox
    cdef object _waiting
    cdef object _popleft
