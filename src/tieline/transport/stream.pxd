cdef class Layer:
    cdef public bint has_buffered_input

    cpdef object receive_into(self, object buffer)

    cpdef feed(self, object ciphertext, bint is_all)

    cpdef object seal(self, bytes data)

    cpdef keep(self, bytes sealed, Py_ssize_t written)


cdef class SocketStream:
    cdef object _socket
    cdef int _at_once


cdef object _address(object get)
