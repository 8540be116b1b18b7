from tieline._flag cimport flag


cdef class Callbacks:
    cdef readonly object handlers
    cdef readonly object on_message
    cdef readonly list watchers
    cdef public long long serves
    cdef readonly list _log
    cdef object _slow
    cdef object _on_raised
    cdef readonly flag are_none
    cdef readonly flag wants_events
    cdef readonly flag wants_opening

    cpdef void begin(self, object log) except *

    cpdef void messages(self, list batch) except *

    cpdef void message_raised(self, object error) except *

    cpdef void opened(self, object response) except *

    cpdef void closed(self, object info) except *

    cpdef void show(self, object message) except *

    cdef void _call(self, object name, object function, object argument) except *

    cpdef void raised(self, object name, object error) except *


cdef class _Unheard(Callbacks):
    pass
