from tieline.protocol.close cimport answer_to, check_close, close_for, decode_close
from tieline.protocol.closing cimport Closing
from tieline.protocol.messages cimport MessageAssembler
from tieline.protocol.outgoing cimport Outgoing
from tieline.protocol.upkeep cimport Upkeep


cdef class Connection:
    # Other threads look at `state`, and at `outgoing.close_info`, without the lock. Neither frees
    # what it was before: the states are the class's, and None becomes the one `CloseInfo`.
    cdef readonly object state
    cdef readonly Outgoing outgoing
    cdef object _opening
    cdef readonly tuple events
    cdef object _settings
    cdef readonly MessageAssembler assembler
    cdef long long _pings_received
    cdef long long _pongs_received
    cdef readonly Upkeep keepalive
    cdef Closing _made_closing

    cpdef void receive_data(self, data, Py_ssize_t end, double now) except *

    cpdef object next_event(self, double now)

    cpdef list data_to_send(self)

    cpdef void send_close(self, code, reason, double now) except *

    cpdef void start(self) except *

    cdef object _next_of_opening(self, double now)

    cdef void _open(self, double now) except *

    cdef void _on_control(self, object frame, double now) except *

    cdef void _on_close(self, object received, double now) except *

    cdef Closing _closing(self)

    cdef void _closing_started(self, object trigger, object told, double now) except *

    cdef void _end(self, object error) except *
