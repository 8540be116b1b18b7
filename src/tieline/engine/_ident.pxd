# Which thread is the caller? As `threading.get_ident` says, which on Linux asks nobody else.

cdef extern from *:
    """
    #include <Python.h>
    #ifdef __linux__
    #include <pthread.h>
    #define TIELINE_THREAD_IDENT() ((unsigned long)pthread_self())
    #else
    #define TIELINE_THREAD_IDENT() PyThread_get_thread_ident()
    #endif
    """
    unsigned long thread_ident "TIELINE_THREAD_IDENT" () noexcept nogil
