# cython: language_level=3, freethreading_compatible=True
"""What decompresses → the same with the face of the `zlib` module, and less around each call.

The module lets go of the interpreter for every call, which beside a busy thread costs a switch
interval for each message, and fills 16 KiB of memory of its own for a message of 300 bytes.
"""

from zlib import error

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
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
from tieline.protocol._utf8 cimport decode_utf8
from tieline.protocol.inflater cimport Inflater

from tieline.protocol._compress import Compress
from tieline.protocol._deflate_library import zlib_ng_of
from tieline.protocol.inflater import broken

__all__ = ["Decompress", "Face", "compressobj", "decompressobj", "error", "inflater_class"]

cdef enum:
    # Ends each message's data: see `deflater.TAIL`.
    TAIL = 4


# Not the garbage collector's: it would take the library away before the end is called there.
@cython.no_gc
cdef class Decompress:
    """A context, as `zlib.decompressobj` gives it. Of one thread at a time."""

    cdef Library library
    cdef z_stream stream
    cdef bint is_ready
    #: The stream has ended, and what came behind it.
    cdef readonly bint eof
    cdef readonly bytes unused_data
    #: What is left of the input because the output has reached its limit.
    cdef readonly bytes unconsumed_tail
    # What the last call has produced, in bytes.
    cdef Py_ssize_t produced

    def __cinit__(self, int window_bits, Library library not None):
        cdef int result
        self.library = library
        self.unused_data = self.unconsumed_tail = b""
        result = library.inflate_init(
            &self.stream, window_bits, library.version, library.stream_size
        )
        if result == Z_MEM_ERROR:
            raise MemoryError("no memory for a decompression context")
        if result != Z_OK:
            raise ValueError(f"no window of {window_bits} bits: expected -9 to -15")
        self.is_ready = True

    def __dealloc__(self):
        if self.is_ready:
            self.library.inflate_end(&self.stream)

    def decompress(self, bytes data not None, Py_ssize_t max_length=0):
        """Of what `data` goes on with, `max_length` bytes at most; 0: all. Raises `error`."""
        if max_length < 0:
            raise ValueError("max_length must be non-negative")
        if self.eof:
            self.unused_data += data
            return b""
        return self.inflated(
            <const unsigned char *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), max_length, False
        )

    cdef object inflated(
        self, const unsigned char *data, Py_ssize_t size, Py_ssize_t max_length, bint as_text
    ):
        """The same, as a `str` where that is asked for, and it is less than `max_length`."""
        cdef unsigned char small[SMALL]
        cdef Py_ssize_t done, capacity, produced
        cdef unsigned int room
        cdef PyObject *grown
        capacity = SMALL if max_length == 0 else min(SMALL, max_length)
        self.stream.next_out = small
        self.stream.avail_out = <unsigned int>capacity
        done = self._run(data, size, 0)
        self.produced = produced = capacity - self.stream.avail_out
        if not self._wants_more(max_length, produced):
            self._leave(data, size, done)
            if as_text and produced != max_length:
                return decode_utf8(<char *>small, produced, NULL)
            return PyBytes_FromStringAndSize(<char *>small, produced)
        capacity = self._next_capacity(capacity, max_length)
        grown = new_bytes(NULL, capacity)
        try:
            memcpy(bytes_of(grown), small, produced)
            while True:
                self.stream.next_out = <unsigned char *>bytes_of(grown) + produced
                room = <unsigned int>min(capacity - produced, MOST)
                self.stream.avail_out = room
                done = self._run(data, size, done)
                produced += room - self.stream.avail_out
                if not self._wants_more(max_length, produced):
                    break
                if produced == capacity:
                    capacity = self._next_capacity(capacity, max_length)
                    _PyBytes_Resize(&grown, capacity)
            self.produced = produced
            self._leave(data, size, done)
            if as_text and produced != max_length:
                return decode_utf8(bytes_of(grown), produced, NULL)
            _PyBytes_Resize(&grown, produced)
            return <object>grown
        finally:
            if grown != NULL:
                Py_DECREF(<object>grown)

    cdef Py_ssize_t _run(self, const unsigned char *data, Py_ssize_t size, Py_ssize_t done) except -1:
        """Inflate until there is no input or no room: how much of the input is used up."""
        cdef Library library = self.library
        cdef unsigned int piece
        cdef int result
        while True:
            piece = <unsigned int>min(size - done, MOST)
            self.stream.next_in = data + done
            self.stream.avail_in = piece
            if piece > LONG + TAIL:
                with nogil:
                    result = library.inflate(&self.stream, Z_SYNC_FLUSH)
            else:
                result = library.inflate(&self.stream, Z_SYNC_FLUSH)
            done += piece - self.stream.avail_in
            if result == Z_STREAM_END:
                self.eof = True
                return done
            if result != Z_OK and result != Z_BUF_ERROR:
                self._fail(result)
            if done == size or self.stream.avail_out == 0:
                return done

    cdef int _fail(self, int result) except -1:
        if result == Z_MEM_ERROR:
            raise MemoryError("no memory to decompress with")
        what = "invalid data" if self.stream.msg == NULL else self.stream.msg.decode("ascii")
        raise self.library.error(f"Error {result} while decompressing data: {what}")

    cdef bint _wants_more(self, Py_ssize_t max_length, Py_ssize_t produced) noexcept:
        """May there be more to come, for which there was no room?"""
        return not self.eof and self.stream.avail_out == 0 and produced != max_length

    cdef Py_ssize_t _next_capacity(self, Py_ssize_t capacity, Py_ssize_t max_length) noexcept:
        return 2 * capacity if max_length == 0 else min(2 * capacity, max_length)

    cdef int _leave(self, const unsigned char *data, Py_ssize_t size, Py_ssize_t done) except -1:
        """Keep what of the input is left."""
        self.stream.next_in = NULL
        self.stream.avail_in = 0
        if self.eof:
            self.unused_data = data[done:size]
            self.unconsumed_tail = b""
        else:
            self.unconsumed_tail = data[done:size] if done < size else b""
        return 0


cdef class ZlibInflater(Inflater):
    """An `Inflater` of which a whole message asks for no bytes and no call of Python's."""

    cdef object whole(
        self, const unsigned char *view, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t limit,
        bint as_text
    ):
        cdef unsigned char given[LONG + TAIL]
        cdef Py_ssize_t size = stop - start
        cdef Decompress context
        cdef object message
        if size > LONG:
            return Inflater.whole(self, view, start, stop, limit, as_text)
        if self.context is None:
            self.context = self.new_context(-self.window_bits)
        context = self.context
        # One call, and a short copy, cost less than a second call for the tail.
        memcpy(given, view + start, size)
        memcpy(given + size, "\x00\x00\xff\xff", TAIL)
        try:
            message = context.inflated(given, size + TAIL, limit, as_text)
        except self.error as failure:
            raise broken(str(failure)) from None
        self.produced = context.produced
        self.is_last = True
        if context.eof:
            self.stream_ended(context.unused_data)
        elif context.produced == limit:
            # There may be more inside even when all input is used up.
            self.rest = context.unconsumed_tail
            self.is_pending = True
        elif not self.context_takeover:
            context.library.inflate_reset(&context.stream)
        if context.produced < limit:
            return message
        self.begun = message
        return None

    cdef void run_ended(self) noexcept:
        # Until then it was only reset.
        if not self.context_takeover and not self.is_pending:
            self.context = None


class Face:
    """The part of the `zlib` module that is used, for a library that is called from C."""

    inflater_class = ZlibInflater

    def __init__(self, library):
        self._library = library
        self.error = library.error

    def decompressobj(self, wbits):
        """A new context."""
        return Decompress(wbits, self._library)

    def compressobj(self, level, method, wbits, mem_level, strategy=0):
        """A new context."""
        return Compress(level, method, wbits, mem_level, strategy, self._library)


_system = Face(Library())
inflater_class = ZlibInflater
decompressobj = _system.decompressobj
compressobj = _system.compressobj


def face_of_zlib_ng(module):
    """The same for the zlib-ng inside of this module, or None where it cannot be called."""
    library = zlib_ng_of(module)
    return None if library is None else Face(library)
