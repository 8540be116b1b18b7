from tieline._flag cimport flag


cdef class ReentrantLock:
    # The thread that holds it, or 0.
    cdef unsigned long owner
    # What those wait on who do, how many they are, and whether one of them was let through.
    cdef void *semaphore
    cdef int waiting
    # How many times its owner has taken it.
    cdef unsigned short depth
    cdef flag is_posted
    # Somebody who was let through found that another one was faster.
    cdef flag is_starved

    cdef int enter(self) except -1

    cdef int leave(self) except -1

    cdef bint try_enter(self) except -1

    cdef bint _wait(self, double timeout, bint forever, bint interruptible) except -1

    cdef int _hand_over(self) except -1

    cdef bint _is_let_through(self) noexcept

    # For `with` where it is known that this is the lock: it takes it in C.
    cpdef bint __enter__(self) except -1

    cpdef bint _is_owned(self) except -1
