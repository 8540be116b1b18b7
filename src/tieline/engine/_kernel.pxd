# What the lanes ask the kernel and the interpreter for, in C.
from cpython.object cimport PyObject


cdef extern from "Python.h":
    # Of a field, with no reference to it: for where it cannot go away.
    const char *bytes_in "PyBytes_AS_STRING" (PyObject *field)
    Py_ssize_t size_in "PyBytes_GET_SIZE" (PyObject *field)
    Py_ssize_t count_in "PyList_GET_SIZE" (PyObject *field)
    PyObject *item_in "PyList_GET_ITEM" (PyObject *field, Py_ssize_t index)
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    const char *PyUnicode_1BYTE_DATA "(const char *)PyUnicode_1BYTE_DATA" (object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    object PyObject_CallOneArg(object function, object argument)
    PyObject *PyThreadState_GetDict()
    bint PyGC_Disable()
    bint PyGC_Enable()

cdef extern from *:
    """
    #ifdef Py_GIL_DISABLED
    #define TIELINE_HAS_GIL 0
    #else
    #define TIELINE_HAS_GIL 1
    #endif
    """
    # What runs no Python code is not interrupted by other threads.
    const bint HAS_GIL "TIELINE_HAS_GIL"

cdef extern from "<sys/socket.h>" nogil:
    ssize_t c_send "send"(int descriptor, const void *data, size_t size, int flags)
    ssize_t c_recv "recv"(int descriptor, void *data, size_t size, int flags)
    int c_setsockopt "setsockopt"(int fd, int level, int name, const void *value, unsigned int size)
    int c_shutdown "shutdown"(int descriptor, int how)
    int SHUT_RDWR
    int MSG_DONTWAIT
    int MSG_NOSIGNAL
    int MSG_WAITALL
    int SOL_SOCKET
    int SO_RCVTIMEO

cdef extern from "<sys/time.h>" nogil:
    struct timeval:
        long tv_sec
        long tv_usec

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int CLOCK_MONOTONIC_COARSE
    int clock_gettime(int clock, timespec *now)


cdef inline double clock() noexcept nogil:
    # The clock of `time.monotonic`.
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <double>now.tv_sec + <double>now.tv_nsec * 1e-9


cdef inline long long coarse_clock() noexcept nogil:
    # Nanoseconds, as of the kernel's last tick: a quarter of the price.
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now)
    return <long long>now.tv_sec * 1000000000 + now.tv_nsec
