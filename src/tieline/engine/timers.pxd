cdef class Timer:
    cdef readonly double when
    cdef readonly long long order
    cdef object _registrant
    cdef object _callback


cdef class TimerHeap:
    cdef readonly list _timers
    cdef long long _made
    cdef Py_ssize_t _many

    cpdef object next_deadline(self)

    cdef void _tidy(self) except *
