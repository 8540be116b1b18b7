cimport cython

from tieline._flag cimport flag
from tieline.engine.callbacks cimport Callbacks


cdef class Delivery:
    cdef readonly Callbacks callbacks
    cdef public object _owner
    cdef public object _queue
    cdef public flag holds_back
    cdef readonly flag is_direct
    cdef object __weakref__

    # A method as a value: only an `object` gives the one that Python knows.
    @cython.locals(callbacks=object)
    cpdef void messages(self, list batch) except *

    cpdef void chunk(self, object chunk) except *

    cpdef bint hold_back(self) except -1

    cpdef void go_on(self) except *

    cpdef void discard_rest(self) except *

    cpdef void begin(self) except *

    cpdef void cut(self, object info) except *

    cpdef void end(self, object info) except *

    cpdef void finish(self, object finished) except *

    cpdef bint in_handler(self) except -1

    cpdef void _on_room(self) except *
