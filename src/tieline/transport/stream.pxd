cdef class SocketStream:
    cdef object _socket
    cdef int _at_once
    cdef public object peer
    cdef public object local
    cdef public object tls
    cdef public bint has_buffered_input
    cdef public bint has_pending_output
    cdef public Py_ssize_t hidden_input
    cdef public Py_ssize_t pending_size


cdef object _address(object get)
