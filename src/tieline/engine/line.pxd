from tieline._flag cimport flag
from tieline.engine.aftermath cimport Aftermath
from tieline.engine.connecting cimport Connected
from tieline.engine.session cimport Session


cdef class Line(Aftermath):
    cdef readonly object reactor
    cdef readonly object dial
    cdef readonly object response
    cdef object _headers
    cdef object _record
    cdef readonly flag owns_reactor
    cdef flag _drivable
    cdef flag _streams
    cdef object __weakref__

    cpdef bint in_handler(self) except -1

    cpdef bint is_driven_by_caller(self) except -1

    cpdef tuple subscriptions(self)

    cpdef void begin(self, object dial, object outage) except *

    cpdef object cancel_dial(self)

    cpdef object serve(self, Connected connected, object dial, object outage, dict rendered)

    cdef void _start(
        self, Session session, object response, object dial, object outage, dict rendered
    ) except *

    cpdef void end(self, object dial) except *

    cpdef object drop(self)

    cpdef void abandon(self) except *

    cpdef void on_room(self) except *
