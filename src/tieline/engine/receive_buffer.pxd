cdef class ReceiveBuffer:
    cdef readonly bytearray buffer
    cdef readonly object view
    cdef readonly Py_ssize_t watched_from
    cdef Py_ssize_t _smallest
    cdef Py_ssize_t _largest
    cdef Py_ssize_t _full_reads
    cdef Py_ssize_t _quiet_reads

    cpdef void received(self, Py_ssize_t count) except *

    cdef void _resize(self, Py_ssize_t size) except *

    cdef void _use(self, bytearray buffer, Py_ssize_t room) except *


cdef class SpareBuffers:
    cdef readonly object thread
    cdef ReceiveBuffer _first
    cdef ReceiveBuffer _second

    cpdef ReceiveBuffer take(self)

    cpdef void keep(self, ReceiveBuffer buffer) except *
