from tieline.transport.attempt cimport Attempt
from tieline.transport.connecting_socket cimport as_stream, connect_alone


cpdef object dial(route, Attempt attempt)
cdef object _connect(route, Attempt attempt)
cdef object _connect_tcp(host, port, route, Attempt attempt)
