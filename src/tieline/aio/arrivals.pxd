cimport cython

from tieline.engine cimport _lock
from tieline.engine.stock cimport Stock


cdef class Arrivals
cdef class Woken


cdef class Arrival:
    cdef Arrivals _arrivals
    cdef public bint _asyncio_future_blocking
    cdef bint _is_done
    cdef tuple _cancelled
    cdef object _callback
    cdef object _context
    cdef object __weakref__

    @cython.locals(woken=Woken)
    cpdef wake(self)
    cpdef resume_soon(self)
    cpdef resume(self)


cdef class ArrivalQueue:
    cdef readonly Arrival first
    cdef object _others

    cpdef add(self, Arrival arrival)
    cpdef Arrival take(self)
    cpdef remove(self, Arrival arrival)


cdef class Woken:
    cdef readonly _lock.ReentrantLock thread
    cdef public bint gathers
    cdef bint _resumes
    cdef readonly ArrivalQueue queue
    cdef readonly object done

    @cython.locals(queue=ArrivalQueue)
    cpdef resume(self)

    @cython.locals(queue=ArrivalQueue)
    cpdef resume_soon(self)


cdef class Arrivals:
    cdef Stock _inbox
    cdef object _messages
    cdef object _pop
    cdef readonly ArrivalQueue waiting
    cdef readonly Woken woken
    cdef readonly object loop
    cdef object _is_running

    @cython.locals(woken=Woken)
    cpdef bint is_here(self)
    cpdef take(self)
    cpdef Arrival next(self)
    cpdef Arrival news(self)
    cpdef forget(self, Arrival arrival)
    cpdef left(self, Arrival arrival)

    @cython.locals(waiting=ArrivalQueue, arrival=Arrival)
    cpdef tell(self, Py_ssize_t count)


cdef class Messages:
    cdef Arrivals _arrivals
    cdef object _following
