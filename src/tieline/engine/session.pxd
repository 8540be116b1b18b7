from tieline.engine.liveness cimport Liveness
from tieline.engine.session_calls cimport SessionCalls


cdef class Session(SessionCalls):
    cdef readonly Liveness liveness
    cdef readonly bint end_is_told
    cdef public bint is_served
    cdef public int served_as
    cdef public int watched_for
    cdef readonly bint is_started
    cdef readonly bint is_finished
    cdef object _finished_once

    cpdef void delivered(self) except *

    cpdef void finish(self) except *

    cpdef void watch(self) except *

    cdef void _tell_end(self, object info) except *

    cpdef void discard_rest(self) except *

    cpdef void tell_finished(self) except *

    cpdef void let_go(self) except *
