# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The C way of `storage`: what is read into is the message itself."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from libc.string cimport memcpy

from tieline.protocol._utf8 cimport is_ascii

cdef extern from "Python.h":
    PyObject *PyBytes_FromStringAndSize(const char *, Py_ssize_t) except NULL
    int _PyBytes_Resize(PyObject **, Py_ssize_t) except -1
    char *PyBytes_AsString(PyObject *)
    PyObject *PyUnicode_New(Py_ssize_t, Py_UCS4) except NULL
    int PyUnicode_Resize(PyObject **, Py_ssize_t) except -1
    void *PyUnicode_DATA(PyObject *)
    void Py_XDECREF(PyObject *)


cdef class Storage:
    """A `bytes`, or a `str` of ASCII, that nobody else has seen yet."""

    is_quick = True

    cdef bint is_text
    cdef PyObject *content
    cdef char *data
    cdef Py_ssize_t capacity
    cdef readonly Py_ssize_t size
    # What the next view shows, and how many views there are.
    cdef Py_ssize_t window
    cdef Py_ssize_t views

    def __cinit__(self, bint is_text):
        self.is_text = is_text

    def __dealloc__(self):
        Py_XDECREF(self.content)

    cdef int _reserve(self, Py_ssize_t capacity) except -1:
        if self.views:
            raise BufferError("somebody still reads into the storage")
        # When this fails there is no content any more.
        self.data = NULL
        self.capacity = 0
        if self.is_text:
            if self.content is NULL:
                self.content = PyUnicode_New(capacity, 127)
            else:
                PyUnicode_Resize(&self.content, capacity)
            self.data = <char *>PyUnicode_DATA(self.content)
        else:
            if self.content is NULL:
                self.content = PyBytes_FromStringAndSize(NULL, capacity)
            else:
                _PyBytes_Resize(&self.content, capacity)
            self.data = PyBytes_AsString(self.content)
        self.capacity = capacity
        return 0

    def reserve(self, Py_ssize_t room):
        if room > self.capacity:
            self._reserve(room)

    def add(self, piece):
        cdef Py_buffer view
        PyObject_GetBuffer(piece, &view, PyBUF_SIMPLE)
        try:
            if view.len > self.capacity - self.size:
                self._reserve(max(self.size + view.len, 2 * self.size))
            memcpy(self.data + self.size, view.buf, view.len)
            self.size += view.len
        finally:
            PyBuffer_Release(&view)

    def target(self, Py_ssize_t wanted, Py_ssize_t most, Py_ssize_t first):
        if self.capacity == self.size:
            self._reserve(self.size + min(wanted, max(first, 15 * self.size)))
        self.window = min(self.capacity - self.size, wanted, most)
        return memoryview(self)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.data + self.size, self.window, False, flags)
        self.views += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.views -= 1

    def received(self, Py_ssize_t count):
        if count < 0 or count > self.capacity - self.size:
            raise ValueError(f"{count} bytes are more than there was room for")
        self.size += count

    def is_ascii(self, Py_ssize_t start):
        return is_ascii(self.data + start, self.size - start)

    def cut(self, Py_ssize_t start):
        cdef bytes piece = self.data[start : self.size]
        self.size = start
        return piece

    def take(self):
        if self.capacity != self.size or self.content is NULL:
            self._reserve(self.size)
        taken = <object>self.content  # a reference of its own
        Py_XDECREF(self.content)
        self.content = NULL
        self.data = NULL
        self.capacity = self.size = 0
        return taken
