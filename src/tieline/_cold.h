/* What Cython calls on the way out of a function with an exception. Told that this is rare, the
   compiler keeps what leads only there apart from what runs every time. */
static void __Pyx_AddTraceback(const char *, int, int, const char *) __attribute__((cold, unused));
