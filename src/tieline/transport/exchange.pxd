cimport cython

from tieline.transport.attempt cimport Attempt


@cython.locals(sent=Py_ssize_t)
cpdef send_all(stream, data, Attempt attempt)

@cython.locals(waits_first=bint)
cpdef object receive(stream, buffer, Attempt attempt, until=*)
