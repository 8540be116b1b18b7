cdef class SocketStream:
    cdef object _socket
    cdef int _at_once


cdef object _address(object get)
