from tieline.engine cimport _lock


cdef class Turn:
    cdef readonly _lock.ReentrantLock lock
    cdef public object holder
    cdef public bint is_asked
    cdef public bint has_more
    cdef public bint has_response
