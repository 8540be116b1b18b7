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

    cpdef object news_of(self, object owner)

    cdef object _opened_behind(self)

    @cython.locals(size=Py_ssize_t)
    cpdef bint keep(self, object message) except -1

    @cython.locals(size=Py_ssize_t)
    cpdef bint keep_run(self, list batch) except -1

    cdef void _look_if_full(self) except *

    cdef Py_ssize_t _count(self) except -1

    cpdef void look_for_room(self) except *
