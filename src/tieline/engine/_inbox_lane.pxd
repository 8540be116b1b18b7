from tieline.engine._read_lane cimport ReadLane
from tieline.engine.pump cimport Pump
from tieline.engine.receive_buffer cimport ReceiveBuffer
from tieline.engine.stock cimport Stock


cdef class InboxLane(ReadLane):
    cdef Stock inbox
    cdef Pump pump

    cdef int _give_back(self) except -1

    cdef list _next_run(self, ReceiveBuffer memory, bint is_read, bint takes)

    cdef int _put(self, Stock inbox, list batch) except -1
