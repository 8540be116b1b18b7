# cython: language_level=3, freethreading_compatible=True
"""`threading.RLock` at a tenth of its price where nobody else wants the lock, as is nearly always so.

That one parses its arguments and asks the operating system each time. Here a thread that holds the
interpreter looks whether the lock is free and takes it, with nothing in between where another one
could run. Only who has to wait asks the system.
"""

from threading import RLock
from time import monotonic

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.limits cimport ULONG_MAX

from tieline.engine._ident cimport thread_ident

cdef extern from *:
    """
    #include <Python.h>
    #ifdef Py_GIL_DISABLED
    #define TIELINE_LOCK_HAS_GIL 0
    #else
    #define TIELINE_LOCK_HAS_GIL 1
    #endif
    """
    const bint HAS_GIL "TIELINE_LOCK_HAS_GIL"

cdef extern from "Python.h":
    void *PyThread_allocate_lock() noexcept nogil
    void PyThread_free_lock(void *lock) noexcept nogil
    void PyThread_release_lock(void *lock) noexcept nogil
    int PyThread_acquire_lock_timed(void *lock, long long microseconds, int interruptible) \
        noexcept nogil
    int PY_LOCK_ACQUIRED
    int PY_LOCK_INTR

cdef enum:
    # Microseconds of one wait: what a 32-bit clock can tell, and no thread waits so long in earnest.
    LONGEST_WAIT = 1000000000
    # Far more often than Python lets calls be nested.
    DEEPEST = 65535

# In the place of an owner: the lock is for the one who waits and was let through.
cdef unsigned long PROMISED = ULONG_MAX


@cython.no_gc  # what it holds refers to nothing that could refer to it
cdef class ReentrantLock:
    """Owned by one thread, which may acquire it again. What `threading.RLock` promises."""

    def __dealloc__(self):
        if self.semaphore != NULL:
            PyThread_acquire_lock_timed(self.semaphore, 0, 0)
            PyThread_release_lock(self.semaphore)
            PyThread_free_lock(self.semaphore)

    def acquire(self, bint blocking=True, double timeout=-1.0):
        """Take it, within `timeout` seconds (-1: whenever that may be). True when that is done."""
        if not blocking and timeout != -1.0:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0.0 and timeout != -1.0:
            raise ValueError("timeout value must be a non-negative number")
        if self.try_enter():
            return True
        return blocking and self._wait(timeout, timeout < 0.0, True)

    def release(self):
        """Give it back, once for each time it was taken. RuntimeError: the caller does not own it."""
        self.leave()

    cpdef bint __enter__(self) except -1:
        self.enter()
        return True

    def __exit__(self, kind, error, traceback):
        self.leave()

    cdef int enter(self) except -1:
        if not self.try_enter():
            self._wait(-1.0, True, True)
        return 0

    cdef bint try_enter(self) except -1:
        """Take it if it is free, or the caller's already."""
        cdef unsigned long caller
        caller = thread_ident()
        if self.owner == 0:
            self.owner = caller
        elif self.owner != caller:
            return False
        elif self.depth == DEEPEST:
            raise OverflowError(f"a lock can be taken {DEEPEST} times at most")
        self.depth += 1
        return True

    cdef int leave(self) except -1:
        if self.owner != thread_ident():
            raise RuntimeError("cannot release un-acquired lock")
        self.depth -= 1
        return 0 if self.depth else self._hand_over()

    cdef int _hand_over(self) except -1:
        self.owner = 0
        if not self.waiting:
            return 0
        if self.is_starved:
            self.owner = PROMISED
        # One is enough: it lets the next one through when it leaves.
        if not self.is_posted:
            self.is_posted = True
            PyThread_release_lock(self.semaphore)
        return 0

    cdef bint _wait(self, double timeout, bint forever, bint interruptible) except -1:
        """Wait until it can be taken. `interruptible`: run signal handlers, whatever they raise.

        A thread that comes at the right moment is faster than one that was let through, which needs
        the interpreter first. Once that has happened, the lock is kept for who waits.
        """
        cdef ReentrantLock kept = self  # a handler may fork, and there others take its place
        cdef double deadline = 0.0
        cdef double left
        cdef long long microseconds
        cdef int result
        cdef bint is_taken = False
        if kept.semaphore == NULL:
            self.semaphore = PyThread_allocate_lock()
            if self.semaphore == NULL:
                raise MemoryError("no memory for a lock")
            PyThread_acquire_lock_timed(self.semaphore, 0, 0)  # nobody is let through yet
        if not forever:
            deadline = monotonic() + timeout
        self.waiting += 1
        try:
            while True:
                microseconds = LONGEST_WAIT
                if not forever:
                    left = deadline - monotonic()
                    if left < LONGEST_WAIT / 1e6:
                        microseconds = <long long>(left * 1e6) if left > 0.0 else 0
                with nogil:
                    result = PyThread_acquire_lock_timed(
                        self.semaphore, microseconds, interruptible
                    )
                if result == PY_LOCK_ACQUIRED:
                    self.is_posted = False
                if self.owner == PROMISED and (result == PY_LOCK_ACQUIRED or self._is_let_through()):
                    self.owner = 0
                if self.try_enter():
                    self.is_starved = False
                    is_taken = True
                    return True
                if result == PY_LOCK_ACQUIRED:
                    self.is_starved = True
                elif result == PY_LOCK_INTR:
                    PyErr_CheckSignals()
                elif not forever and monotonic() >= deadline:
                    return False
        finally:
            self.waiting -= 1
            if not is_taken and self.owner == PROMISED and self._is_let_through():
                self._hand_over()

    cdef bint _is_let_through(self) noexcept:
        """Has the lock been given back since the caller has stopped to wait?"""
        if PyThread_acquire_lock_timed(self.semaphore, 0, 0) != PY_LOCK_ACQUIRED:
            return False
        self.is_posted = False
        return True

    # --- what `threading.Condition` asks of a lock ---------------------------------------------

    cpdef bint _is_owned(self) except -1:
        return self.owner == thread_ident()

    def _release_save(self):
        if self.owner != thread_ident():
            raise RuntimeError("cannot release un-acquired lock")
        depth, self.depth = self.depth, 0
        self._hand_over()
        return depth

    def _acquire_restore(self, depth):
        if not self.try_enter():
            # As `RLock` does: whoever leaves a wait with this owns the lock, whatever comes.
            self._wait(-1.0, True, False)
        self.depth = depth

    def __repr__(self):
        state = f"owner={self.owner} depth={self.depth}" if self.depth else "free"
        return f"<ReentrantLock {state}>"


@cython.no_gc
cdef class SharedLock(ReentrantLock):
    """The same without a global interpreter lock, where only the system can tell who was first."""

    cdef object lock

    def __cinit__(self):
        self.lock = RLock()

    def acquire(self, bint blocking=True, double timeout=-1.0):
        return self.lock.acquire(blocking, timeout)

    cdef bint try_enter(self) except -1:
        return self.lock.acquire(False)

    cdef int leave(self) except -1:
        self.lock.release()
        return 0

    cdef bint _wait(self, double timeout, bint forever, bint interruptible) except -1:
        return self.lock.acquire(True, -1.0 if forever else timeout)

    cpdef bint _is_owned(self) except -1:
        return self.lock._is_owned()

    def _release_save(self):
        return self.lock._release_save()

    def _acquire_restore(self, depth):
        self.lock._acquire_restore(depth)

    def __repr__(self):
        return repr(self.lock)


#: Is it enough that nothing that runs Python code comes in between?
has_gil = HAS_GIL
