from tieline.aio.arrivals cimport Arrivals
from tieline.aio.at_once cimport AtOnce


cdef class ShortCalls:
    # Without it each connection would have a dictionary, for nothing else.
    cdef public object options
    cdef public object _line
    cdef public Arrivals _arrivals
    cdef public AtOnce _at_once
