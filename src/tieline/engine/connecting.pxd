from tieline.engine.record cimport Record
from tieline.engine.route cimport Target
from tieline.engine.upgrade cimport upgrade
from tieline.protocol.endpoints cimport client_connection
from tieline.transport.attempt cimport Attempt
from tieline.transport.dial cimport dial


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

    cdef visit(self, Target target)
    cdef _asked(self, Target target, cookies)
    cdef follow(self, Target target, response)
    cdef explain(self, error)
    cdef _ask(self, Target target, login, cookies)
