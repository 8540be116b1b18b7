cdef class Timer:
    cdef readonly double when
    cdef readonly long long order
    cdef object _registrant
    cdef object _callback


cdef class TimerHeap:
    cdef readonly list _timers
    cdef long long _made
    cdef Py_ssize_t _many

    cpdef Timer add(self, double when, object registrant, object callback)

    cpdef object next_deadline(self)

    cpdef list pop_due(self, double now)

    cdef void _tidy(self) except *
