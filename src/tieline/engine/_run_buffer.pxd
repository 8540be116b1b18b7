from libc.stdint cimport uint8_t


cdef class RunBuffer:
    cdef uint8_t *memory
    cdef Py_ssize_t size
    # Bytes that may be added without more memory; for how many there is some as soon as there is any.
    cdef Py_ssize_t room
    cdef Py_ssize_t least
    # Those who look at it.
    cdef int views

    cdef int _grow(self, Py_ssize_t size) except -1

    cdef uint8_t *extend(self, Py_ssize_t added) except NULL
