cdef class Closing:
    cdef object _close_timeout
    cdef public object sent
    cdef public object received
    cdef readonly object deadline
    cdef public object error
    cdef object _initiator

    cpdef void begin(self, object initiator, double now) except *

    cpdef void linger(self, double now) except *

    cpdef object stream_ended(self)

    cpdef object info(self)
