from tieline._flag cimport flag


cdef class Outage:
    cdef object _owner
    cdef object _backoff
    cdef public object backoff_before
    cdef readonly Py_ssize_t good
    cdef object _failover
    cdef readonly object down_since
    cdef object _pause
    cdef list _errors
    cdef public object hint
    cdef readonly Py_ssize_t rounds
    cdef readonly Py_ssize_t dials
    cdef readonly object plan
    cdef public object state
    cdef public object after
    cdef public object owner
    cdef public unsigned long thread
    cdef list _waiting
    cdef readonly flag is_first
    cdef public flag overlaps
    cdef readonly flag goes_on
    cdef public flag has_opened
    cdef readonly flag is_interrupted
    cdef public flag has_driver
    cdef readonly flag is_finished

    cpdef void lost(self, object info) except *

    cpdef void went_down(self, object since=*) except *

    cpdef object dialling(self)

    cpdef void failed(self, object raised) except *

    cpdef void opened(self) except *

    cdef object _url(self)

    cdef void _decide(self, object cause, bint retry, bint at_once=*) except *

    cdef void _plan(self, object cause, Py_ssize_t number, double delay) except *

    cpdef void give_up(self, object reason, object cause) except *

    cpdef object describe(self, object response)

    cdef double _downtime(self) except? -1.0

    cpdef void finish(self) except *

    cpdef bint wait_until_finished(self, double timeout) except -1

    cpdef void interrupt(self) except *

    cpdef void abandon_after_fork(self) except *
