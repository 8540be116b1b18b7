cimport cython

from tieline.engine cimport holding, quiet_close
from tieline.engine.connecting cimport Connected
from tieline.engine.dial cimport Dial
from tieline.engine.line cimport Line
from tieline.engine.outage cimport Outage
from tieline.engine.session cimport Session


cdef class Supervisor(Line):
    @cython.locals(session=Session, before=Outage, outage=Outage, dial=Dial, goes_on=bint)
    cpdef object connect(self, object headers, object timeout, object info)

    cdef void _end_before(self, Session last, Outage outage, Dial dial) except *

    @cython.locals(outage=Outage)
    cdef object _own(self)

    cdef void _settle(self, object outages) except *

    cdef object _open(
        self, Outage outage, object timeout, object info, object rounds=*, bint is_background=*
    )

    cdef void _await_turn(self, Outage outage, object plan) except *

    @cython.locals(dial=Dial, connected=Connected)
    cdef object _dial(self, Outage outage, object timeout, object info)

    cdef object _serve(self, Connected connected, Dial dial, Outage outage)

    @cython.locals(session=Session, outage=Outage, dial=Dial)
    cpdef void disconnect(
        self, object code, object reason, object timeout, object patience=*
    ) except *

    @cython.locals(waits=bint, up=bint)
    cdef void _close(
        self, Session last, object code, object reason, object timeout, object patience
    ) except *

    cdef bint _close_quietly(
        self, Session session, object code, object reason, double limit
    ) except -1

    cdef void _drop_sessions(self, Session session) except *

    cdef void _await_drivers(self, Outage outage, Dial dial) except *

    @cython.locals(session=Session)
    cdef bint _cannot_wait(self) except -1

    cdef void _await_end(self, Session session, object limit) except *
