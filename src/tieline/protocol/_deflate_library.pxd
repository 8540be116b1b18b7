# The functions of zlib, and of libraries that have the same.

from cpython.ref cimport PyObject


# A `bytes` that is written, and grows, before anybody else has it.
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
    int Z_DEFLATED

cdef enum:
    # They count in unsigned int.
    MOST = 1 << 30
    # Bytes of input from which the interpreter is let go of meanwhile.
    LONG = 4096
    # Most messages are smaller, and are dealt with on the stack.
    SMALL = 16384

ctypedef int (*InflateInit)(z_stream *, int, const char *, int) noexcept nogil
ctypedef int (*DeflateInit)(z_stream *, int, int, int, int, int, const char *, int) noexcept nogil
ctypedef int (*Step)(z_stream *, int) noexcept nogil
ctypedef int (*End)(z_stream *) noexcept nogil


cdef class Library:
    cdef const char *version
    cdef int stream_size
    cdef InflateInit inflate_init
    cdef Step inflate
    cdef End inflate_reset
    cdef End inflate_end
    cdef DeflateInit deflate_init
    cdef Step deflate
    cdef End deflate_end
    #: What is raised for bad data.
    cdef readonly object error
