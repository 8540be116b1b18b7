# cython: language_level=3, freethreading_compatible=True
"""The frames of one run → memory that is written from as it is.

What a `bytearray` is for, at a fraction of its price where little is added often: it may be given
the memory that it will take, and to add something in that memory is one sum.
"""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.mem cimport PyMem_Free, PyMem_Realloc


@cython.no_gc  # it holds nothing but memory
cdef class RunBuffer:
    """Bytes at whose end more may be put, as long as nobody looks at them."""

    def __dealloc__(self):
        PyMem_Free(self.memory)

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.memory, self.size, True, flags)
        self.views += 1

    def __releasebuffer__(self, Py_buffer *view):
        self.views -= 1

    cdef int _grow(self, Py_ssize_t size) except -1:
        """Have memory for so many bytes in all."""
        cdef void *memory
        if self.views:
            raise BufferError("somebody looks at these bytes: nothing can be added")
        memory = PyMem_Realloc(self.memory, size)
        if memory == NULL:
            raise MemoryError(f"no memory for {size} bytes that are to be sent")
        self.memory = <uint8_t *>memory
        self.room = size - self.size
        return 0

    cdef uint8_t *extend(self, Py_ssize_t added) except NULL:
        """Add so many bytes: where they are to be written."""
        cdef Py_ssize_t before = self.size
        if added > self.room or self.views:
            self._grow(max(before + added, 2 * before, self.least))
        self.size += added
        self.room -= added
        return self.memory + before
