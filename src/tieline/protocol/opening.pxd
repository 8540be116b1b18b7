from tieline.protocol.handshake cimport accept_value, check_response, make_key
from tieline.upgrade_exchange cimport UpgradeExchange, write_line


cdef class ClientOpening:
    cdef public str key
    cdef public object request
    cdef object _url
    cdef UpgradeExchange _exchange
    cdef object _error
    cdef public object agreement

