cimport cython

from tieline.engine.delivery cimport Delivery
from tieline.engine.receive_buffer cimport ReceiveBuffer
from tieline.engine.sender cimport Sender
from tieline.engine.speaker cimport Speaker
from tieline.engine.telling cimport Teller
from tieline.protocol.connection cimport Connection


cdef class Pump(Speaker):
    cdef readonly Connection connection
    cdef readonly object stream
    cdef readonly object reactor
    cdef readonly object calls
    cdef bint _reads_on
    cdef bint _streams
    cdef readonly bint has_stopped
    cdef readonly bint has_ended
    cdef readonly double found_nothing_at
    cdef readonly long long bytes_read
    cdef readonly double receive_seconds

    cdef void _init_pump(
        self,
        object lock,
        Sender sender,
        Connection connection,
        object stream,
        object reactor,
        Delivery delivery,
        Teller teller,
        object log,
        long long connection_id,
    ) except *

    cpdef void delivered(self) except *

    cpdef void finish(self) except *

    cdef void _soon(self, object function) except *

    cpdef bint read(self, double now, ReceiveBuffer memory, double patience=*) except -1

    cpdef void serve(self, double now) except *

    cpdef void read_buffered(self) except *

    cpdef void deliver(self, double now) except *

    cpdef void hold_back(self) except *

    @cython.locals(done=cython.double)
    cdef object _receive(self, double now, ReceiveBuffer memory)

    @cython.locals(connection=Connection, last=ReceiveBuffer)
    cdef void _deliver(self, double now, ReceiveBuffer memory=*) except *
