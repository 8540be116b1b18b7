from tieline.engine.deadline cimport Deadline


cdef class Liveness(Deadline):
    cdef Py_ssize_t _hidden_input
    cdef Py_ssize_t _pending
