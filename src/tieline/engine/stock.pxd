cimport cython

from tieline.engine.delivery cimport Delivery


cdef class Stock(Delivery):
    cdef public Py_ssize_t _max_queue
    cdef readonly Py_ssize_t few
    cdef public object _messages
    cdef public Py_ssize_t _size
    cdef public bint _is_heavy
    cdef public bint was_full
    cdef public bint is_streaming
    cdef public bint has_ended
    cdef public bint discards
    cdef public object _behind
    cdef public object _chunks
    cdef public object _news
    cdef public Py_ssize_t waiters

    @cython.locals(size=Py_ssize_t)
    cpdef bint keep(self, object message) except -1
