cimport cython

from tieline.engine.log cimport ConnectionLog
from tieline.engine.record cimport Record
from tieline.engine.route cimport Target, target_of
# By another name: what is called is this module's own, and tests give it another clock.
from tieline.transport.attempt cimport Attempt as _Attempt


cdef class Dial:
    cdef readonly object connection_id
    cdef readonly ConnectionLog log
    cdef readonly Record record
    cdef readonly _Attempt attempt
    cdef public object emit
    cdef readonly object thread
    cdef object _info
    cdef object _options
    cdef object _handlers
    cdef object _url
    cdef object _headers
    cdef bint _logs
    cdef bint _is_heard

    @cython.locals(target=Target, kept=dict)
    cpdef object connect(self)
