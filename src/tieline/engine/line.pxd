cimport cython

from tieline._flag cimport flag
from tieline.engine.aftermath cimport Aftermath
from tieline.engine.connecting cimport Connected
from tieline.engine.dial cimport Dial
from tieline.engine.outage cimport Outage
from tieline.engine.record cimport Record
from tieline.engine.session cimport Session


cdef class Line(Aftermath):
    cdef readonly object reactor
    cdef readonly Dial dial
    cdef readonly object response
    cdef object _headers
    cdef Record _record
    cdef readonly flag owns_reactor
    cdef flag _drivable
    cdef flag _streams
    cdef object __weakref__

    cpdef bint in_handler(self) except -1

    cpdef bint is_driven_by_caller(self) except -1

    cpdef tuple subscriptions(self)

    cpdef void begin(self, Dial dial, Outage outage) except *

    cpdef Dial cancel_dial(self)

    @cython.locals(session=Session)
    cpdef object serve(self, Connected connected, Dial dial, Outage outage, dict rendered)

    @cython.locals(before=Session, was_wanted=bint)
    cdef void _start(
        self, Session session, object response, Dial dial, Outage outage, dict rendered
    ) except *

    cpdef void end(self, Dial dial) except *

    @cython.locals(session=Session)
    cpdef object drop(self)

    @cython.locals(dial=Dial, session=Session)
    cpdef void abandon(self) except *

    @cython.locals(session=Session)
    cpdef void on_room(self) except *
