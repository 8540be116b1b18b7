from tieline.engine.delivery cimport Delivery
from tieline.engine.dispatch cimport Dispatcher
from tieline.engine.sender cimport Sender
from tieline.engine.telling cimport Teller


cdef class Speaker(Dispatcher):
    cdef readonly Sender sender

    cpdef void _init_speaker(
        self,
        object lock,
        Sender sender,
        Delivery delivery,
        Teller teller,
        object log,
        long long connection_id,
    ) except *

    cpdef void message(
        self, object opcode, object payload, object compress=*, object unsent=*
    ) except *
