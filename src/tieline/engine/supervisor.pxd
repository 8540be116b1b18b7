from tieline.engine cimport holding
from tieline.engine.connecting cimport Connected
from tieline.engine.line cimport Line
from tieline.engine.session cimport Session


cdef class Supervisor(Line):
    cpdef object connect(self, object headers, object timeout, object info)

    cdef void _end_before(self, object outage, object dial) except *

    cdef object _own(self)

    cdef void _settle(self, object outages) except *

    cdef object _open(
        self, object outage, object timeout, object info, object rounds=*, bint is_background=*
    )

    cdef void _await_turn(self, object outage, object plan) except *

    cdef object _dial(self, object outage, object timeout, object info)

    cdef object _serve(self, Connected connected, object dial, object outage)

    cpdef void disconnect(
        self, object code, object reason, object timeout, object patience=*
    ) except *

    cdef void _close(self, object code, object reason, object timeout, object patience) except *

    cdef bint _close_quietly(
        self, Session session, object code, object reason, double limit
    ) except -1

    cdef void _drop_sessions(self) except *

    cdef void _await_drivers(self, object outage, object dial) except *

    cdef bint _cannot_wait(self) except -1

    cdef void _await_end(self, Session session, object limit) except *
