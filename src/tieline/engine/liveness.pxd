from tieline.engine.deadline cimport Deadline


cdef class Liveness(Deadline):
    cdef bint _watches
    cdef Py_ssize_t _hidden_input
    cdef Py_ssize_t _pending

    cpdef void cancel(self) except *
