from tieline.engine._read_lane cimport ReadLane
from tieline.engine.driving cimport Driver
from tieline.engine.receive_buffer cimport ReceiveBuffer
from tieline.engine.stock cimport Stock
from tieline.engine.turn cimport Turn


cdef class InboxLane(ReadLane):
    cdef Stock inbox
    cdef object waiting
    cdef object popleft
    cdef object appendleft
    cdef Driver driver
    cdef object pump
    cdef Turn turn
    cdef object spares
    # Those of the thread that asked last, and which that was.
    cdef list near
    cdef unsigned long nearest
    cdef unsigned long main_thread
    # Is it `read` that reads?
    cdef bint fills
    # Who is told of a message there, and whether that is still to be done.
    cdef object arrivals
    cdef bint has_news
    # Was a run taken that more follows? What that is in, unless the decoder has its own copy.
    cdef readonly bint has_rest
    cdef ReceiveBuffer unread

    cpdef object recv(self)

    cdef list _spares_of(self, unsigned long thread)

    cdef int _leave(self, Driver driver, Stock inbox, thread) except -1

    cdef object _drive(self, Driver driver, Stock inbox, thread, list spares)

    cdef int _give_back(self, thread) except -1

    cdef list _next_run(self, ReceiveBuffer memory, Stock inbox, bint is_read, bint takes)

    cdef int _put(self, Stock inbox, list batch) except -1
