cimport cython

from tieline._flag cimport flag
from tieline.engine.delivery cimport Delivery


cdef class Stock(Delivery):
    cdef public Py_ssize_t _max_queue
    cdef readonly Py_ssize_t few
    cdef public object _messages
    cdef public Py_ssize_t _size
    cdef public object _behind
    cdef public object _chunks
    cdef public object _news
    cdef public Py_ssize_t waiters
    cdef public flag _is_heavy
    cdef public flag was_full
    cdef public flag is_streaming
    cdef public flag has_ended
    cdef public flag discards

    @cython.locals(size=Py_ssize_t)
    cpdef bint keep(self, object message) except -1

    @cython.locals(size=Py_ssize_t)
    cpdef bint keep_run(self, list batch) except -1
