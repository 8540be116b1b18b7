cdef class Keepalive:
    cdef readonly object condition
    cdef public object alive_at
    cdef object _interval
    cdef object _timeout
    cdef double _tolerance
    cdef object _next_ping
    cdef double _asked_at
    cdef object _noticed
    cdef double _last_alive
    cdef double _last_taken
    cdef int _excuses
    cdef double _held_up
    cdef double _asleep
