cimport cython

from tieline.call_memory cimport CallMemory


cdef class Handlers:
    cdef readonly object callback
    cdef readonly object on_open
    cdef readonly object on_message
    cdef readonly object on_close
    cdef readonly object on_ping
    cdef readonly object on_pong
    cdef readonly object on_error
    cdef readonly object on_reconnecting
    cdef readonly object on_frame
    cdef readonly object on_event


cpdef object check_function(str name, object function)
cdef bint _runs(object function) except -1
cpdef tuple split_plain(url_or_options, dict keywords)

@cython.locals(given=dict, memory=CallMemory)
cdef tuple _split(callback, url_or_options, dict keywords)
