cimport cython

from tieline.engine.driving cimport Driver
from tieline.engine.session cimport Session


cpdef void begin(Session session, object code, object reason) except *


cpdef bint with_its_thread(Session session, object code, object reason, double limit) except -1


@cython.locals(started=cython.double, passed=cython.double, left=cython.double)
cpdef void alone(
    Session session, Driver driver, object code, object reason, double limit
) except *
