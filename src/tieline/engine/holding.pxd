cimport cython

from tieline.engine cimport _lock


@cython.locals(ours=_lock.ReentrantLock)
cpdef bint is_held_by_caller(object lock) except -1
