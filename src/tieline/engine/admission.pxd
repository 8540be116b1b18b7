from tieline.engine._lock cimport ReentrantLock
from tieline.engine.writer cimport Writer


cdef class Admission(Writer):
    cdef ReentrantLock _lock
    cdef object _timeout
    cdef object _caller
    cdef object _fragmenter
    cdef object _deferred

    cpdef bint must_wait(self) except -1

    cdef object _deadline(self)

    cpdef object patience(self, object deadline)

    cpdef object pause(self, object remaining)

    cpdef void look_for_room(self) except *
