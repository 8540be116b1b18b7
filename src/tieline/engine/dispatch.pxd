cimport cython

from tieline.engine.delivery cimport Delivery
from tieline.engine.telling cimport Teller
from tieline.engine.turn cimport Turn


cdef class _Once:
    cdef object _function
    cdef object _argument


cdef class Dispatcher(Turn):
    cdef readonly Delivery delivery
    cdef Teller _teller
    cdef public object log
    cdef readonly long long connection_id
    cdef readonly dict _pings
    cdef tuple _last_calls
    cdef bint _shown_close

    cpdef void _init_dispatcher(
        self, object lock, Delivery delivery, Teller teller, object log, long long connection_id
    ) except *

    cpdef bint answers_pings(self) except -1

    # A method as a value: only an `object` gives the one that Python knows.
    @cython.locals(callbacks=object)
    cpdef void opened(self, object response) except *

    @cython.locals(callbacks=object)
    cpdef void ended(self, object info) except *

    cpdef void pass_on(self, object event) except *

    cdef void _pong(self, object event) except *

    cdef void _closing(self, object event) except *
