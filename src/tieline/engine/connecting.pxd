from tieline.engine.record cimport Record
from tieline.transport.attempt cimport Attempt


cdef class Connected:
    cdef readonly object connection
    cdef public object stream
    cdef readonly object response


cdef class _Journey:
    cdef object _settings
    cdef Attempt _attempt
    cdef Record _record
    cdef object _tell
    cdef object _redirects
    cdef dict _proxy_logins

    cdef visit(self, target)
    cdef _asked(self, target, cookies)
    cdef follow(self, target, response)
    cdef explain(self, error)
    cdef _ask(self, target, login, cookies)
