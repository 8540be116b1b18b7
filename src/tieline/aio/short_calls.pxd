from tieline.aio.arrivals cimport Arrivals
from tieline.aio.at_once cimport AtOnce


cdef class ShortCalls:
    cdef public object _line
    cdef public Arrivals _arrivals
    cdef public AtOnce _at_once
