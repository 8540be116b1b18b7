cimport cython

from tieline.engine.stock cimport Stock


cdef class Arrivals


cdef class Arrival:
    cdef Arrivals _arrivals
    cdef public bint _asyncio_future_blocking
    cdef bint _is_done
    cdef tuple _cancelled
    cdef object _callback
    cdef object _context
    cdef object __weakref__

    @cython.locals(woken=list)
    cpdef wake(self)
    cpdef resume_soon(self)
    cpdef resume(self)


cdef class Woken:
    cdef public list now
    cdef readonly object done


cdef class Arrivals:
    cdef Stock _inbox
    cdef object _messages
    cdef object _pop
    cdef readonly object waiting
    cdef readonly Woken woken
    cdef readonly object loop
    cdef object _is_running
    cdef object _thread

    cpdef bint is_here(self)
    cpdef take(self)
    cpdef Arrival next(self)
    cpdef Arrival news(self)
    cpdef forget(self, Arrival arrival)
    cpdef left(self, Arrival arrival)

    @cython.locals(arrival=Arrival)
    cpdef tell(self, Py_ssize_t count)


cdef class Messages:
    cdef Arrivals _arrivals
    cdef object _following


@cython.locals(position=Py_ssize_t, arrival=Arrival)
cpdef resume_all(list woken)
