cdef class ClockWatch:
    cdef object _now
    cdef public object _sleepless
    cdef public double _tick
    cdef double _apart
    cdef readonly double looks_at

    cpdef void begin(self) except *

    cpdef double look(self) except *
