cimport cython

from tieline.aio.arrivals cimport Arrivals
from tieline.engine.short_way cimport ShortWay


cdef class AtOnce:
    cdef object _line
    cdef Arrivals _arrivals
    cdef bint _is_off
    cdef Py_ssize_t _credit
    cdef object _session
    cdef object _must_wait
    cdef object _message
    cdef ShortWay _lane

    @cython.locals(size=Py_ssize_t, payload=bytes)
    cpdef bint send(self, object message)

    cdef _turn_to(self, object session)
