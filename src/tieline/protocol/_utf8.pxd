# UTF-8 → `str`. Nearly all text is ASCII, which is looked at and copied sixteen bytes at a time; the
# interpreter takes eight, and looks first and copies then where the two do not lie alike.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    #ifdef __GNUC__
    typedef uint64_t tieline_wide __attribute__((vector_size(16)));
    #else
    typedef uint64_t tieline_wide;
    #endif

    enum { TIELINE_WIDE = sizeof(tieline_wide), TIELINE_LONG = 4096 };

    /* memcpy of a fixed size compiles to one unaligned load or store. */
    static inline tieline_wide tieline_load(const char *from) {
        tieline_wide wide;
        memcpy(&wide, from, sizeof wide);
        return wide;
    }

    static inline void tieline_store(char *to, tieline_wide wide) {
        memcpy(to, &wide, sizeof wide);
    }

    static inline int tieline_has_high_bit(tieline_wide wide) {
        uint64_t words[sizeof wide / 8], all = 0;
        size_t i;
        memcpy(words, &wide, sizeof wide);
        for (i = 0; i < sizeof wide / 8; i++) all |= words[i];
        return (all & UINT64_C(0x8080808080808080)) != 0;
    }

    /* Four sums do not wait for each other. The last step takes some bytes once more. */

    static inline int tieline_is_ascii(const char *from, Py_ssize_t size) {
        const Py_ssize_t step = TIELINE_WIDE;
        Py_ssize_t i = 0;
        tieline_wide first, second, third, fourth;
        if (size < step) {
            unsigned char all = 0;
            for (; i < size; i++) all |= (unsigned char)from[i];
            return all < 0x80;
        }
        first = second = third = fourth = tieline_load(from + size - step);
        for (; i <= size - 4 * step; i += 4 * step) {
            first |= tieline_load(from + i);
            second |= tieline_load(from + i + step);
            third |= tieline_load(from + i + 2 * step);
            fourth |= tieline_load(from + i + 3 * step);
        }
        for (; i <= size - step; i += step) first |= tieline_load(from + i);
        return !tieline_has_high_bit(first | second | third | fourth);
    }

    /* `size` is that of one step at least. */
    static inline int tieline_copy_ascii(char *to, const char *from, Py_ssize_t size) {
        const Py_ssize_t step = TIELINE_WIDE;
        Py_ssize_t i = 0;
        tieline_wide last = tieline_load(from + size - step), a, b, c, d;
        tieline_wide first = last, second = last, third = last, fourth = last;
        for (; i <= size - 4 * step; i += 4 * step) {
            first |= a = tieline_load(from + i);
            second |= b = tieline_load(from + i + step);
            third |= c = tieline_load(from + i + 2 * step);
            fourth |= d = tieline_load(from + i + 3 * step);
            tieline_store(to + i, a);
            tieline_store(to + i + step, b);
            tieline_store(to + i + 2 * step, c);
            tieline_store(to + i + 3 * step, d);
        }
        for (; i <= size - step; i += step) {
            first |= a = tieline_load(from + i);
            tieline_store(to + i, a);
        }
        tieline_store(to + size - step, last);
        return !tieline_has_high_bit(first | second | third | fourth);
    }

    /* Was the last long text ASCII? If it was not, the copy of the next one may be for nothing. */
    static volatile int tieline_was_ascii = 1;

    static inline PyObject *tieline_decode_utf8(
        const char *data, Py_ssize_t size, const char *errors
    ) {
        PyObject *text;
        if (size < TIELINE_WIDE) return PyUnicode_DecodeUTF8(data, size, errors);
        if (size < TIELINE_LONG) {
            /* To look first takes next to nothing: what was looked at is near when it is copied. */
            if (!tieline_is_ascii(data, size)) return PyUnicode_DecodeUTF8(data, size, errors);
            text = PyUnicode_New(size, 127);
            if (text) tieline_copy_ascii((char *)PyUnicode_1BYTE_DATA(text), data, size);
            return text;
        }
        if (tieline_was_ascii) {
            text = PyUnicode_New(size, 127);
            if (!text) return NULL;
            if (tieline_copy_ascii((char *)PyUnicode_1BYTE_DATA(text), data, size)) return text;
            Py_DECREF(text);
        }
        text = PyUnicode_DecodeUTF8(data, size, errors);
        tieline_was_ascii = text && PyUnicode_IS_ASCII(text);
        return text;
    }

    /* What Cython makes of `view[start:stop].decode("utf-8")`, where this is cimported. */
    #define PyUnicode_DecodeUTF8 tieline_decode_utf8
    """
    bint is_ascii "tieline_is_ascii" (const char *data, Py_ssize_t size) noexcept nogil

    # Raises UnicodeDecodeError.
    object decode_utf8 "tieline_decode_utf8" (const char *data, Py_ssize_t size, const char *errors)
