# cython: language_level=3, freethreading_compatible=True
"""The C way of `many.gather`: a clock that costs less than the messages."""

from cpython.iterator cimport PyIter_Check
from cpython.list cimport PyList_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF

from tieline.engine._kernel cimport clock, coarse_clock

cdef extern from "Python.h":
    PyObject *PyIter_Next(object iterator) except? NULL

cdef enum:
    # So many of a run's first items are timed exactly. Who gives more within a moment is so quick
    # that the kernel's ticks, a few milliseconds apart, will do.
    FEW = 16


def gather(iterator not None, list run not None, Py_ssize_t longest, double seconds):
    """Add items until there are `longest`, or about so many seconds have passed.

    False: there are no more.
    """
    cdef PyObject *item
    cdef Py_ssize_t count
    cdef double until = 0.0
    cdef long long tick = 0
    if not PyIter_Check(iterator):
        raise TypeError(f"expected an iterator, got {type(iterator).__name__}")
    while PyList_GET_SIZE(run) < longest:
        item = PyIter_Next(iterator)
        if item == NULL:
            return False
        run.append(<object>item)
        Py_DECREF(<object>item)
        count = PyList_GET_SIZE(run)
        if count == 1:
            until = clock() + seconds
        elif count <= FEW:
            tick = coarse_clock()
            if clock() >= until:
                break
        elif coarse_clock() != tick:
            break
    return True
