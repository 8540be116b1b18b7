from tieline.engine.record cimport Record
from tieline.transport.attempt cimport Attempt


cpdef upgrade(connection, stream, target, Attempt attempt, Record record, tell)
cdef _await_answer(connection, stream, Attempt attempt)
cdef _judge(connection, bytearray buffer, count, now)
cdef _note_response(response, target, Record record, tell)
