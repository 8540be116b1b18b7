from tieline.upgrade_exchange cimport UpgradeExchange


cdef class ClientOpening:
    cdef public str key
    cdef public object request
    cdef object _url
    cdef UpgradeExchange _exchange
    cdef object _error
    cdef public object agreement

