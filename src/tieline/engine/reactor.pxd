cimport cython

from tieline._flag cimport flag
from tieline.engine.clock_watch cimport ClockWatch
from tieline.engine.descriptors cimport Descriptors
from tieline.engine.receive_buffer cimport ReceiveBuffer
from tieline.engine.served cimport Served
from tieline.engine.timers cimport TimerHeap


cdef class Reactor(Served):
    cdef public double linger
    cdef public object name
    cdef readonly ReceiveBuffer memory
    cdef readonly ClockWatch clocks
    cdef TimerHeap _timers
    cdef double _ends_at
    cdef readonly double _expects_until
    cdef unsigned long _ident
    cdef object _stopped_thread
    cdef readonly Descriptors _descriptors
    cdef readonly object _wakeup
    cdef flag _is_own

    cpdef bint in_thread(self) except -1

    cdef void _watch(self, object registrant, int events) except *

    cpdef void unregister(self, object registrant) except *

    cpdef object call_at(self, double when, object registrant, object callback)

    @cython.locals(clocks=cython.double)
    cpdef double next_deadline(self) except *

    @cython.locals(deadline=cython.double, looks_at=cython.double)
    cpdef double wanted_at(self) except *

    cpdef void look_at_clocks(self) except *

    cpdef bint _reads_at_once(self, object registrant) except -1

    cpdef void _wake(self) except *

    cpdef void _start(self, object registrant, bint lazily) except *

    @cython.locals(ready=list, woke=cython.double, asked=cython.Py_ssize_t)
    cpdef void _run(self, Descriptors descriptors, list handed_over) except *

    cdef void _open_wakeup(self, Descriptors descriptors) except *

    cdef void _note_wakeup(self, object descriptor) except *

    @cython.locals(now=cython.double)
    cdef bint _has_stopped(self, Descriptors descriptors) except -1

    @cython.locals(now=cython.double, looks_at=cython.double, ends_at=cython.double)
    cpdef double _pause(self) except *

    cdef void _stop(self) except *


cdef class OwnReactor(Reactor):
    pass
