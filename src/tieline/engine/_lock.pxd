cdef class ReentrantLock:
    # The thread that holds it, 0 for none, and how many times.
    cdef unsigned long owner
    cdef int depth
    # How many wait, the semaphore that they wait on, and whether one of them was let through.
    cdef int waiting
    cdef void *semaphore
    cdef bint is_posted
    # Somebody who was let through found that another one was faster.
    cdef bint is_starved
    # Without a GIL: the lock that does all the work.
    cdef object shared

    cdef int enter(self) except -1

    cdef int leave(self) except -1

    cdef bint try_enter(self) except -1

    cdef bint _wait(self, double timeout, bint forever, bint interruptible) except -1

    cdef int _hand_over(self) except -1

    cdef bint _is_let_through(self) noexcept
