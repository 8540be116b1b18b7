cimport cython

from tieline.engine.outage cimport Outage


cdef class Succession:
    cdef object _line
    cdef tuple _busy
    cdef tuple _waiting
    cdef readonly object served
    cdef object _told
    cdef object _teller
    cdef unsigned long _telling

    cpdef void enter(self, object outage) except *

    cpdef void start(self, object session, object response, object driver) except *

    @cython.locals(has_left=bint)
    cpdef void leave(self, object who) except *

    cdef tuple _step_aside(self, object who)

    cdef tuple _start_next(self, object leaving)

    cdef void _start(self, object session, object response) except *

    cpdef void not_started(self, object session) except *

    cdef void _add(self, object who) except *

    cdef void _remove(self, object who) except *

    cdef bint _are_others(self, object who) except -1

    cpdef void hurry(self) except *

    @cython.locals(driver=Outage)
    cpdef bint is_driven_by_caller(self) except -1

    cpdef object drivers(self)

    @cython.locals(is_served=bint)
    cpdef void tell(self, object function, object what, object driver) except *

    cdef void _tell(self, object who) except *

    cdef object _made_told(self)

    @cython.locals(are_others=bint)
    cdef object _next_told(self, object who)

    cdef void _call(self, object call) except *

    cpdef void abandon_after_fork(self) except *
