# cython: language_level=3, freethreading_compatible=True
"""zlib, or the zlib-ng inside of an extension module → functions to be called from C.

What a Python module does around each call takes longer than a message of 300 bytes. The extension
`zlib_ng.zlib_ng` has the library in it, whose functions have names of their own and a header of
their own (zlib-ng.h, of which the declarations are): they are looked up by these names. Where they
are not found, or refuse the structure that they would be called with, the module does.
"""

from os import fsencode
from zlib import error as zlib_error

from libc.string cimport memset

__all__ = ["Library", "zlib_ng_of"]

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>
    #include <zlib.h>
    #ifndef _WIN32
    #include <dlfcn.h>
    #endif

    /* zng_stream, as zlib-ng.h has it since 2.0. What is used of it lies where z_stream has it, on
     * all systems but those whose long has four bytes. */
    typedef struct {
        const uint8_t *next_in;
        uint32_t avail_in;
        size_t total_in;
        uint8_t *next_out;
        uint32_t avail_out;
        size_t total_out;
        const char *msg;
        void *state;
        alloc_func zalloc;
        free_func zfree;
        voidpf opaque;
        int data_type;
        uint32_t adler;
        unsigned long reserved;
    } tieline_zng_stream;

    #define TIELINE_SAME(field) \\
        (offsetof(z_stream, field) == offsetof(tieline_zng_stream, field) && \\
         sizeof(((z_stream *)0)->field) == sizeof(((tieline_zng_stream *)0)->field))
    #define TIELINE_ZNG_FITS \\
        (TIELINE_SAME(next_in) && TIELINE_SAME(avail_in) && TIELINE_SAME(next_out) && \\
         TIELINE_SAME(avail_out) && TIELINE_SAME(msg) && TIELINE_SAME(zalloc) && \\
         TIELINE_SAME(zfree) && TIELINE_SAME(opaque) && sizeof(tieline_zng_stream) <= sizeof(z_stream))

    #ifdef _WIN32
    static void *tieline_loaded(const char *path) { (void)path; return NULL; }
    static void *tieline_symbol(void *library, const char *name) { (void)library; (void)name; return NULL; }
    #else
    #ifndef RTLD_NOLOAD
    #define RTLD_NOLOAD 0
    #endif
    static void *tieline_loaded(const char *path) { return dlopen(path, RTLD_LAZY | RTLD_NOLOAD); }
    static void *tieline_symbol(void *library, const char *name) { return dlsym(library, name); }
    #endif
    """
    const bint ZNG_FITS "TIELINE_ZNG_FITS"
    int ZNG_SIZE "((int)sizeof(tieline_zng_stream))"
    int Z_SIZE "((int)sizeof(z_stream))"
    void *loaded "tieline_loaded"(const char *path)
    void *symbol "tieline_symbol"(void *library, const char *name)

cdef extern from "zlib.h" nogil:
    const char *ZLIB_VERSION
    int inflateInit2_(z_stream *, int, const char *, int) noexcept
    int inflate(z_stream *, int) noexcept
    int inflateReset(z_stream *) noexcept
    int inflateEnd(z_stream *) noexcept
    int deflateInit2_(z_stream *, int, int, int, int, int, const char *, int) noexcept
    int deflate(z_stream *, int) noexcept
    int deflateEnd(z_stream *) noexcept


cdef class Library:
    """zlib itself, unless `zlib_ng_of` says otherwise. Never changed, so any thread may use it."""

    def __init__(self):
        self.version = ZLIB_VERSION
        self.stream_size = Z_SIZE
        self.inflate_init = inflateInit2_
        self.inflate = inflate
        self.inflate_reset = inflateReset
        self.inflate_end = inflateEnd
        self.deflate_init = deflateInit2_
        self.deflate = deflate
        self.deflate_end = deflateEnd
        self.error = zlib_error


def zlib_ng_of(module):
    """The library inside of the module `zlib_ng.zlib_ng`, or None."""
    cdef Library found = Library()
    cdef void *library
    path = getattr(module, "__file__", None)
    if not ZNG_FITS or path is None:
        return None
    # Never closed: the functions are to stay.
    library = loaded(fsencode(path))
    if library == NULL:
        return None
    # It compares the first digit with its own, and the size with that of its structure.
    found.version = b"2.0.0"
    found.stream_size = ZNG_SIZE
    found.inflate_init = <InflateInit>symbol(library, b"zng_inflateInit2_")
    found.inflate = <Step>symbol(library, b"zng_inflate")
    found.inflate_reset = <End>symbol(library, b"zng_inflateReset")
    found.inflate_end = <End>symbol(library, b"zng_inflateEnd")
    found.deflate_init = <DeflateInit>symbol(library, b"zng_deflateInit2_")
    found.deflate = <Step>symbol(library, b"zng_deflate")
    found.deflate_end = <End>symbol(library, b"zng_deflateEnd")
    found.error = module.error
    if (
        found.inflate_init == NULL
        or found.inflate == NULL
        or found.inflate_reset == NULL
        or found.inflate_end == NULL
        or found.deflate_init == NULL
        or found.deflate == NULL
        or found.deflate_end == NULL
    ):
        return None
    return found if _works(found) else None


cdef bint _works(Library library) noexcept:
    """Does it take the structure?"""
    cdef z_stream stream
    clear(&stream)
    if library.inflate_init(&stream, -15, library.version, library.stream_size) != Z_OK:
        return False
    library.inflate_end(&stream)
    clear(&stream)
    if library.deflate_init(
        &stream, 1, Z_DEFLATED, -15, 8, 0, library.version, library.stream_size
    ) != Z_OK:
        return False
    library.deflate_end(&stream)
    return True


cdef void clear(z_stream *stream) noexcept:
    memset(stream, 0, sizeof(z_stream))
