cimport cython

from tieline._flag cimport flag
from tieline.engine cimport _lock
from tieline.engine.complaints cimport Complaints
from tieline.engine.outage cimport Outage
from tieline.engine.recovery cimport Recovery
from tieline.engine.session cimport Session


cdef class Aftermath(Complaints):
    cdef readonly _lock.ReentrantLock lock
    cdef readonly Recovery recovery
    cdef readonly object carried_over
    cdef readonly flag is_abandoned
    cdef object _changed
    cdef dict _decided
    cdef readonly object close_info
    cdef readonly object gave_up

    @cython.locals(outage=Outage, present=Outage)
    cpdef void on_ended(self, Session session) except *

    cpdef void put_back(self, list rest) except *

    cdef dict _opened_decisions(self)

    cdef bint _is_decided(self, Session session) except -1

    @cython.locals(outage=Outage, follows=bint)
    cpdef void on_finished(self, Session session) except *

    @cython.locals(session=Session)
    cpdef bint keep_old(self, Outage outage) except -1

    @cython.locals(session=Session)
    cpdef void outage_stopped(self) except *

    @cython.locals(session=Session)
    cpdef void settle(self, Outage outage, bint is_background) except *

    cdef bint _goes_down(self, Outage outage) except -1

    cpdef void _over(self, Outage outage) except *

    cdef void _end_for_good(self) except *

    cdef void _stop_waiting(self) except *

    cpdef void tell_change(self) except *

    cdef void _tell_drops(self, object driver) except *
