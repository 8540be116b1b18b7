# cython: language_level=3, freethreading_compatible=True
"""What compresses → the same with the face of the `zlib` module, and one call for each message."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_DECREF, PyObject
from libc.string cimport memcpy

from tieline.protocol._deflate_library cimport (
    LONG,
    MOST,
    SMALL,
    Library,
    Z_BUF_ERROR,
    Z_MEM_ERROR,
    Z_OK,
    Z_STREAM_END,
    Z_SYNC_FLUSH,
    _PyBytes_Resize,
    bytes_of,
    new_bytes,
    z_stream,
)

__all__ = ["Compress"]

cdef enum:
    NO_FLUSH = 0


# Not the garbage collector's: it would take the library away before the end is called there.
@cython.no_gc
cdef class Compress:
    """A context, as `zlib.compressobj` gives it. Of one thread at a time."""

    cdef Library library
    cdef z_stream stream
    cdef bint is_ready

    def __cinit__(
        self, int level, int method, int window_bits, int mem_level, int strategy,
        Library library not None,
    ):
        cdef int result = library.deflate_init(
            &self.stream, level, method, window_bits, mem_level, strategy,
            library.version, library.stream_size,
        )
        self.library = library
        if result == Z_MEM_ERROR:
            raise MemoryError("no memory for a compression context")
        if result != Z_OK:
            raise ValueError(
                f"no compression of level {level}, {window_bits} bits, memory {mem_level} and "
                f"strategy {strategy}"
            )
        self.is_ready = True

    def __dealloc__(self):
        if self.is_ready:
            self.library.deflate_end(&self.stream)

    def compress(self, data):
        """What can be told already of `data`, which goes on with what was given before."""
        return self._deflated(data, NO_FLUSH)

    def flush(self, int mode):
        """The rest of what was given."""
        return self._deflated(b"", mode)

    def flushed(self, data):
        """All of `data`, up to a byte boundary, with the empty block that a sync flush ends with."""
        if not len(data):
            # What was flushed last would not be flushed again.
            self._deflated(data, NO_FLUSH)
        return self._deflated(data, Z_SYNC_FLUSH)

    cdef object _deflated(self, data, int mode):
        cdef unsigned char small[SMALL]
        cdef Py_buffer view
        cdef PyObject *grown = NULL
        cdef unsigned char *out = small
        cdef Py_ssize_t capacity = SMALL
        cdef Py_ssize_t produced = 0
        cdef Py_ssize_t done = 0
        cdef unsigned int piece, room
        cdef int result
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            while True:
                piece = <unsigned int>min(view.len - done, MOST)
                room = <unsigned int>min(capacity - produced, MOST)
                self.stream.next_in = <const unsigned char *>view.buf + done
                self.stream.avail_in = piece
                self.stream.next_out = out + produced
                self.stream.avail_out = room
                # Flushed is only what ends all of it.
                result = self._step(mode if done + piece == view.len else NO_FLUSH, piece)
                done += piece - self.stream.avail_in
                produced += room - self.stream.avail_out
                if result != Z_OK and result != Z_BUF_ERROR and result != Z_STREAM_END:
                    raise self.library.error(f"Error {result} while compressing data")
                if self.stream.avail_out:
                    if done == view.len:
                        break
                elif produced == capacity:
                    capacity *= 2
                    if grown == NULL:
                        grown = new_bytes(NULL, capacity)
                        memcpy(bytes_of(grown), small, produced)
                    else:
                        _PyBytes_Resize(&grown, capacity)
                    out = <unsigned char *>bytes_of(grown)
            if grown == NULL:
                return PyBytes_FromStringAndSize(<char *>small, produced)
            _PyBytes_Resize(&grown, produced)
            return <object>grown
        finally:
            self.stream.next_in = NULL
            self.stream.avail_in = 0
            PyBuffer_Release(&view)
            if grown != NULL:
                Py_DECREF(<object>grown)

    cdef int _step(self, int mode, unsigned int size) noexcept:
        cdef int result
        if size <= LONG:
            return self.library.deflate(&self.stream, mode)
        with nogil:
            result = self.library.deflate(&self.stream, mode)
        return result
