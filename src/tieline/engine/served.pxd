cimport cython

from tieline._flag cimport flag


cdef class Served:
    cdef public object now
    cdef readonly object _lock
    cdef readonly object calls
    cdef dict _served
    cdef readonly dict _unseen
    cdef public double _looks_at
    cdef public object _thread
    cdef flag _owes_waking
    cdef object __weakref__

    cpdef void _start(self, object registrant, bint lazily) except *

    cpdef bint _reads_at_once(self, object registrant) except -1

    cpdef void _wake(self) except *

    cpdef bint is_unseen(self, object registrant) except -1

    cpdef bint withdraw(self, object registrant) except -1

    cpdef void call_soon(self, object registrant, object callback) except *

    cpdef void _see(self) except *

    cdef void _call(self, object registrant, object callback) except *

    @cython.locals(now=cython.double)
    cdef bint _looks_within(self, double patience) except -1

    cdef void _forget_all(self) except *

    cpdef void _add(self, object registrant) except *

    cpdef void _remove(self, object registrant) except *

    cdef void _ask(self, object registrant, object callback) except *
