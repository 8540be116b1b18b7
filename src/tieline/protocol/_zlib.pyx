# cython: language_level=3, freethreading_compatible=True
"""zlib's inflate with the face of the `zlib` module, and less around each call.

The module lets go of the interpreter for every call, which beside a busy thread costs a switch
interval for each message, and fills 16 KiB of memory of its own for a message of 300 bytes.
"""

from zlib import compressobj, error

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF, PyObject
from libc.string cimport memcpy

__all__ = ["Decompress", "compressobj", "decompressobj", "error"]

cdef extern from "Python.h":
    int _PyBytes_Resize(PyObject **object, Py_ssize_t size) except -1
    PyObject *new_bytes "PyBytes_FromStringAndSize" (const char *data, Py_ssize_t size) except NULL
    char *bytes_of "PyBytes_AS_STRING" (PyObject *object)

cdef extern from "zlib.h" nogil:
    ctypedef struct z_stream:
        const unsigned char *next_in
        unsigned int avail_in
        unsigned char *next_out
        unsigned int avail_out
        const char *msg
    int Z_OK
    int Z_STREAM_END
    int Z_BUF_ERROR
    int Z_MEM_ERROR
    int Z_SYNC_FLUSH
    int inflateInit2(z_stream *stream, int window_bits)
    int inflate(z_stream *stream, int flush)
    int inflateEnd(z_stream *stream)

cdef enum:
    # Most messages are smaller, and are inflated on the stack.
    SMALL = 16384
    # Compressed bytes from which the interpreter is let go of meanwhile.
    LONG = 4096
    # zlib counts in unsigned int.
    MOST = 1 << 30


cdef class Decompress:
    """A context, as `zlib.decompressobj` gives it. Of one thread at a time."""

    cdef z_stream stream
    cdef bint is_ready
    #: The stream has ended, and what came behind it.
    cdef readonly bint eof
    cdef readonly bytes unused_data
    #: What is left of the input because the output has reached its limit.
    cdef readonly bytes unconsumed_tail

    def __cinit__(self, int window_bits):
        cdef int result
        self.unused_data = self.unconsumed_tail = b""
        result = inflateInit2(&self.stream, window_bits)
        if result == Z_MEM_ERROR:
            raise MemoryError("no memory for a decompression context")
        if result != Z_OK:
            raise ValueError(f"no window of {window_bits} bits: expected -9 to -15")
        self.is_ready = True

    def __dealloc__(self):
        if self.is_ready:
            inflateEnd(&self.stream)

    def decompress(self, bytes data not None, Py_ssize_t max_length=0):
        """Of what `data` goes on with, `max_length` bytes at most; 0: all. Raises `error`."""
        cdef unsigned char small[SMALL]
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t done = 0
        cdef Py_ssize_t capacity, produced
        cdef PyObject *grown
        if max_length < 0:
            raise ValueError("max_length must be non-negative")
        if self.eof:
            self.unused_data += data
            return b""
        capacity = SMALL if max_length == 0 else min(SMALL, max_length)
        self.stream.next_out = small
        self.stream.avail_out = <unsigned int>capacity
        done = self._run(data, 0)
        produced = capacity - self.stream.avail_out
        if not self._wants_more(max_length, produced):
            self._leave(data, done)
            return PyBytes_FromStringAndSize(<char *>small, produced)
        capacity = self._next_capacity(capacity, max_length)
        grown = new_bytes(NULL, capacity)
        try:
            memcpy(bytes_of(grown), small, produced)
            while True:
                self.stream.next_out = <unsigned char *>bytes_of(grown) + produced
                self.stream.avail_out = <unsigned int>min(capacity - produced, MOST)
                size = self.stream.avail_out
                done = self._run(data, done)
                produced += size - self.stream.avail_out
                if not self._wants_more(max_length, produced):
                    break
                if produced == capacity:
                    capacity = self._next_capacity(capacity, max_length)
                    _PyBytes_Resize(&grown, capacity)
            self._leave(data, done)
            _PyBytes_Resize(&grown, produced)
            return <object>grown
        finally:
            if grown != NULL:
                Py_DECREF(<object>grown)

    cdef Py_ssize_t _run(self, bytes data, Py_ssize_t done) except -1:
        """Inflate until there is no input or no room: how much of the input is used up."""
        cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef unsigned int piece
        cdef int result
        while True:
            piece = <unsigned int>min(size - done, MOST)
            self.stream.next_in = start + done
            self.stream.avail_in = piece
            if piece > LONG:
                with nogil:
                    result = inflate(&self.stream, Z_SYNC_FLUSH)
            else:
                result = inflate(&self.stream, Z_SYNC_FLUSH)
            done += piece - self.stream.avail_in
            if result == Z_STREAM_END:
                self.eof = True
                return done
            if result == Z_MEM_ERROR:
                raise MemoryError("no memory to decompress with")
            if result != Z_OK and result != Z_BUF_ERROR:
                what = "invalid data" if self.stream.msg == NULL else self.stream.msg.decode("ascii")
                raise error(f"Error {result} while decompressing data: {what}")
            if done == size or self.stream.avail_out == 0:
                return done

    cdef bint _wants_more(self, Py_ssize_t max_length, Py_ssize_t produced) noexcept:
        """May there be more to come, for which there was no room?"""
        return not self.eof and self.stream.avail_out == 0 and produced != max_length

    cdef Py_ssize_t _next_capacity(self, Py_ssize_t capacity, Py_ssize_t max_length) noexcept:
        return 2 * capacity if max_length == 0 else min(2 * capacity, max_length)

    cdef int _leave(self, bytes data, Py_ssize_t done) except -1:
        """Keep what of the input is left."""
        if self.eof:
            self.unused_data = data[done:]
            self.unconsumed_tail = b""
        else:
            self.unconsumed_tail = data[done:] if done < PyBytes_GET_SIZE(data) else b""
        self.stream.next_in = NULL
        self.stream.avail_in = 0
        return 0


def decompressobj(int wbits):
    """A new context."""
    return Decompress(wbits)
