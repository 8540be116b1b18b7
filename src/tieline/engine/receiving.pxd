cimport cython

from tieline.engine cimport quiet_close
from tieline.engine.driving cimport Driver
from tieline.engine.inbox cimport Inbox
from tieline.engine.session cimport Session
from tieline.engine.supervisor cimport Supervisor


cdef class Receiver(Supervisor):
    cdef readonly Inbox inbox

    cpdef void on_room(self) except *

    @cython.locals(driver=Driver)
    cdef bint _close_quietly(
        self, Session session, object code, object reason, double limit
    ) except -1

    cpdef void _stop_driving(self, Driver driver) except *

    @cython.locals(served=Session, driver=Driver)
    cpdef bint in_handler(self) except -1
