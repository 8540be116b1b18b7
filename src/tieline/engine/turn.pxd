cimport cython

from tieline.engine cimport _lock
from tieline.engine.short_way cimport ShortWay


cdef class Turn:
    cdef public ShortWay lane
    cdef readonly _lock.ReentrantLock lock
    cdef readonly unsigned long holder
    cdef public bint is_asked
    cdef public bint has_more
    cdef readonly object response
    cdef object _news

    cpdef void _init_turn(self, object lock) except *

    @cython.locals(caller="unsigned long")
    cpdef bint take(self, double timeout=*) except -1

    cpdef void give_back(self) except *
