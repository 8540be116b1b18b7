cimport cython

from tieline._flag cimport flag
from tieline.engine.outbox cimport Outbox
from tieline.protocol.outgoing cimport Outgoing

cdef double _GATHERING
cdef long long _TOGETHER
cdef int _WORTHWHILE


cdef class Writer(Outbox):
    cdef Outgoing _outgoing
    cdef object _stream
    cdef readonly object _room
    cdef object _now
    cdef object _owner
    cdef readonly object _ledger
    cdef readonly object error
    cdef long long _write_limit
    cdef double _gathering_until
    cdef readonly double taken_at
    cdef readonly double seconds
    cdef int _gathered
    cdef unsigned char _left_at_once
    cdef flag _is_certain
    cdef flag _corked
    cdef flag _is_watched
    cdef flag _has_gathered
    cdef flag _flushing
    cdef readonly flag blocked

    cdef void _init_writer(
        self, Outgoing outgoing, object stream, object owner, long long write_limit, object now
    ) except *

    cpdef void cork(self, int calls) except *

    cpdef void flush(self) except *

    cpdef void drop(self) except *

    cpdef void check_unbroken(self) except *

    cdef bint _gathers(self, double now) except -1

    @cython.locals(
        started=cython.double, written=cython.longlong, pending=cython.longlong, done=bint
    )
    cdef void _write(self) except *

    @cython.locals(done=bint, is_congested=bint)
    cdef bint _write_out(self) except -1

    cdef bint _push_pending(self) except -1

    cdef void _interrupted(self) except *

    cdef bint _has_noted(self) except -1

    cdef void _settle(self) except *

    cdef void _end_ledger(self, object deferred) except *

    cdef void _break(self, object error) except *
