cdef class Timer:
    cdef readonly double when
    cdef readonly long long order
    cdef TimerHeap _heap
    cdef object _registrant
    cdef object _callback


cdef class TimerHeap:
    cdef readonly list _timers
    cdef long long _made
    cdef Py_ssize_t _cancelled

    cpdef object next_deadline(self)

    cpdef void forget_one(self) except *
