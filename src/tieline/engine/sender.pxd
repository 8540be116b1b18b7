cimport cython

from tieline.engine.admission cimport Admission


cdef class Sender(Admission):
    cpdef void message(
        self, object opcode, object payload, object compress=*, object unsent=*
    ) except *

    cpdef void drop(self) except *

    cpdef list take_rest(self)

    @cython.locals(start=cython.longlong)
    cdef object _encode(self, object opcode, object payload, object compress, object unsent)

    @cython.locals(added=cython.longlong, end=cython.longlong)
    cdef void _note(self, object entry, long long start) except *

    cdef void _push(self, Py_ssize_t size, object deadline=*, bint waits=*) except *
