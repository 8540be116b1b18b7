from tieline.engine.session cimport Session
from tieline.engine.telling cimport Teller


cpdef object lane_of(Session session, object options, Teller teller)

cpdef void begin(Session session, object delivery) except *
