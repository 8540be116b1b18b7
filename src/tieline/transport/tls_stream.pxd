cimport cython

from tieline.transport.stream cimport Layer


cdef class TLSStream(Layer):
    cdef public object lower
    cdef object _incoming
    cdef object _outgoing
    cdef object _session
    cdef object _read_into
    cdef object _write
    cdef object _feed
    cdef object _take_output
    cdef readonly object tls
    cdef long long _ciphertext_read
    cdef object _own_scratch
    cdef object _plaintext
    cdef bint _inside
    cdef bint _drained
    cdef bint _is_fed
    cdef bint _pauses
    cdef bint _ended
    cdef bint _end_is_told
    cdef object _failure
    cdef public bytes first_bytes
    cdef object _ciphertext
    cdef bint _has_output
    cdef bint _shut_down

    cpdef bint handshake(self) except -1

    cpdef bint holds_output(self) except -1

    @cython.locals(size=Py_ssize_t, total=Py_ssize_t)
    cpdef object receive_into(self, object buffer)

    cpdef feed(self, object ciphertext, bint is_all)

    cpdef object seal(self, bytes data)

    cpdef keep(self, bytes sealed, Py_ssize_t written)

    @cython.locals(size=Py_ssize_t, taken=Py_ssize_t)
    cpdef Py_ssize_t send(self, object data) except -1

    @cython.locals(size=Py_ssize_t, sent=Py_ssize_t)
    cpdef bint flush(self) except -1

    cdef _send_close_notify(self)

    @cython.locals(start=Py_ssize_t, reads=Py_ssize_t, room=Py_ssize_t, count=Py_ssize_t)
    cdef Py_ssize_t _decrypt(self, object buffer, Py_ssize_t total, Py_ssize_t size) except -1

    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t _take_plaintext(self, object buffer, Py_ssize_t size) except -1

    cdef _note_buffered_input(self, bint is_full)

    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t _read_lower(self) except -1

    cdef Py_ssize_t _read_through(self, object scratch) except -1

    @cython.locals(missing=Py_ssize_t)
    cdef _take_in(self, object ciphertext, bint is_all)
