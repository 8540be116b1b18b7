cimport cython

from tieline._flag cimport flag
from tieline.engine.outage cimport Outage


cdef class Recovery:
    cdef object _line
    cdef readonly object policy
    cdef object _backoff
    cdef public Outage outage
    cdef public unsigned int good
    cdef public flag is_wanted

    @cython.locals(outage=Outage)
    cpdef Outage begin(self, bint is_first, bint goes_on)

    @cython.locals(before=Outage, outage=Outage, was_wanted=bint, goes_on=bint)
    cpdef Outage begin_again(self, bint is_first, bint overlaps)

    @cython.locals(outage=Outage)
    cpdef Outage begin_after(self, object lost, object info)

    cdef bint _may_begin(self, object lost) except -1

    cpdef void opened(self, Outage outage) except *

    cpdef void not_opened(self, Outage outage, bint was_wanted) except *

    cpdef bint is_under_way(self, Outage outage) except -1

    @cython.locals(outage=Outage)
    cpdef Outage stop(self)

    cpdef void keep(self, Outage outage) except *

    cpdef void remove(self, Outage outage) except *

    @cython.locals(outage=Outage)
    cpdef void abandon(self) except *

    @cython.locals(outage=Outage)
    cpdef void abandon_after_fork(self) except *

    cpdef object now(self)

    cpdef object new_pause(self)

    cpdef bint retries(self, object cause, object driver) except -1

    cdef Outage _new_outage(self, bint is_first, bint goes_on)
