from tieline.engine.dispatch cimport Dispatcher
from tieline.engine.sender cimport Sender


cdef class Speaker(Dispatcher):
    cdef readonly Sender sender

    cpdef void message(
        self, object opcode, object payload, object compress=*, object unsent=*
    ) except *
