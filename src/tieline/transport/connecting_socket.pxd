from tieline.transport.attempt cimport Attempt
from tieline.transport.stream cimport SocketStream


cpdef connect_alone(address, Attempt attempt, source_address, tuple options)
cpdef bint note_peer(Attempt attempt, connecting, expected=*) except -1
cpdef SocketStream as_stream(Attempt attempt, connected)
cpdef tuple begin(address, source_address, options)
