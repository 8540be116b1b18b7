cimport cython

from tieline.engine.record cimport Record
from tieline.engine.route cimport Target
from tieline.protocol.connection cimport Connection
from tieline.protocol.opening cimport ClientOpening
from tieline.transport.attempt cimport Attempt
from tieline.transport.exchange cimport send_all


@cython.locals(opening=ClientOpening)
cpdef upgrade(Connection connection, stream, Target target, Attempt attempt, Record record, tell)
cdef _await_answer(Connection connection, stream, Attempt attempt)
cdef _judge(Connection connection, bytearray buffer, count, now)
cdef _note_response(response, Target target, Record record, tell)
