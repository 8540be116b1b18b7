cdef class Keepalive:
    cdef readonly object condition
    cdef object _interval
    cdef object _timeout
    cdef double _alive_at
    cdef double _next_ping
    cdef object _unanswered
    cdef bint _is_heard

    cdef void prepare(self, object interval, object timeout) except *

    cpdef void start(self, double now) except *

    cpdef object next_deadline(self)

    cpdef void heard(self, double when) noexcept

    cpdef void look_for_life(self) except *

    cdef void _move(self, object sign) except *
