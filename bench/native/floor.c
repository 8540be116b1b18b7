/* The floor of CPython: a socket -> calls of a Python function, with everything but the unavoidable
 * taken away.
 *
 * Reading is a blocking recv into 256 KiB without the GIL, a header parsed in C, one str or bytes
 * for each message and one call of the user's function. Sending is masking in C and one send() per
 * message, or one for many. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "channel.h"
#include "wire.h"
#include <zlib.h>

static channel_t channel;
static uint64_t rng = SEED;
static uint8_t *out;
static size_t out_used, out_room;

static int flush_out(void) {
    int failed;
    if (!out_used) return 0;
    Py_BEGIN_ALLOW_THREADS
    failed = channel_write(&channel, out, out_used);
    Py_END_ALLOW_THREADS
    out_used = 0;
    if (failed) PyErr_SetFromErrno(PyExc_OSError);
    return failed;
}

static int put(uint8_t first, const char *payload, Py_ssize_t size) {
    size_t needed = out_used + (size_t)size + LONGEST_HEADER;
    if (needed > out_room) {
        uint8_t *larger = realloc(out, needed + CHUNK);
        if (!larger) {
            PyErr_NoMemory();
            return -1;
        }
        out = larger;
        out_room = needed + CHUNK;
    }
    out_used += write_frame(out + out_used, first, (const uint8_t *)payload, (size_t)size, &rng);
    return 0;
}

static PyObject *queue(PyObject *module, PyObject *message) {
    char *payload;
    Py_ssize_t size;
    (void)module;
    if (PyBytes_AsStringAndSize(message, &payload, &size) || put(BINARY, payload, size)) return NULL;
    if (out_used >= CHUNK && flush_out()) return NULL;
    Py_RETURN_NONE;
}

static PyObject *flush(PyObject *module, PyObject *nothing) {
    (void)module;
    (void)nothing;
    if (flush_out()) return NULL;
    Py_RETURN_NONE;
}

static PyObject *send_message(PyObject *module, PyObject *message) {
    if (PyUnicode_Check(message)) {
        Py_ssize_t size;
        const char *payload = PyUnicode_AsUTF8AndSize(message, &size);
        if (!payload || put(TEXT, payload, size) || flush_out()) return NULL;
        Py_RETURN_NONE;
    }
    PyObject *done = queue(module, message);
    Py_XDECREF(done);
    if (!done || flush_out()) return NULL;
    Py_RETURN_NONE;
}

/* With 1000; the server answers, and `run` returns. */
static PyObject *say_goodbye(PyObject *module, PyObject *nothing) {
    (void)module;
    (void)nothing;
    if (put(CLOSE, "\x03\xe8", 2) || flush_out()) return NULL;
    Py_RETURN_NONE;
}

static PyObject *attach(PyObject *module, PyObject *descriptor) {
    (void)module;
    channel = (channel_t){.fd = (int)PyLong_AsLong(descriptor)};
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

static PyObject *message_of(uint8_t first, uint8_t *payload, size_t size, z_stream *inflater) {
    static uint8_t inflated[1 << 20], tail[4] = {0, 0, 0xff, 0xff};
    if (first & COMPRESSED) {
        if (!inflater->state) inflateInit2(inflater, -15);
        inflater->next_out = inflated;
        inflater->avail_out = sizeof inflated;
        inflater->next_in = payload;
        inflater->avail_in = (uInt)size;
        inflate(inflater, Z_SYNC_FLUSH);
        inflater->next_in = tail;
        inflater->avail_in = sizeof tail;
        inflate(inflater, Z_SYNC_FLUSH);
        payload = inflated;
        size = sizeof inflated - inflater->avail_out;
    }
    return OPCODE(first) == OPCODE(TEXT) ? PyUnicode_DecodeUTF8((char *)payload, (Py_ssize_t)size, NULL)
                                         : PyBytes_FromStringAndSize((char *)payload, (Py_ssize_t)size);
}

/* 0, or -1 with an exception set. Takes the message's reference. */
static int deliver(PyObject *function, PyObject *message) {
    PyObject *result = message ? PyObject_CallOneArg(function, message) : NULL;
    Py_XDECREF(message);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* All of it, without the GIL; -1 with an exception set. */
static int read_all(uint8_t *data, size_t size) {
    int failed = 0;
    Py_BEGIN_ALLOW_THREADS
    while (size && !failed) {
        ssize_t got = channel_read(&channel, data, size);
        failed = got <= 0;
        data += got;
        size -= (size_t)got;
    }
    Py_END_ALLOW_THREADS
    if (failed) PyErr_SetString(PyExc_EOFError, "the server left");
    return failed ? -1 : 0;
}

/* A big binary message: straight into the object that is delivered. */
static int deliver_big(PyObject *function, const header_t *h, const uint8_t *begun, size_t size) {
    PyObject *message = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)h->size);
    if (!message) return -1;
    uint8_t *data = (uint8_t *)PyBytes_AS_STRING(message);
    memcpy(data, begun, size);
    if (read_all(data + size, h->size - size)) {
        Py_DECREF(message);
        return -1;
    }
    return deliver(function, message);
}

/* run(begun, function): call it with each message, until a Close has come. */
static PyObject *run(PyObject *module, PyObject *arguments) {
    Py_buffer begun;
    PyObject *function;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*O", &begun, &function)) return NULL;
    size_t room = 2 * CHUNK, position = 0, filled = (size_t)begun.len;
    uint8_t *buffer = malloc(room);
    z_stream inflater = {0};
    int failed = 0, closed = 0;
    memcpy(buffer, begun.buf, filled);
    PyBuffer_Release(&begun);
    while (!failed && !closed) {
        header_t h;
        size_t available = filled - position, length = read_header(buffer + position, available, &h);
        uint8_t *payload = buffer + position + length;
        if (length && available - length >= h.size) {
            position += length + h.size;
            closed = h.first == CLOSE;
            if (!closed) failed = deliver(function, message_of(h.first, payload, h.size, &inflater));
        } else if (length && h.first == BINARY && h.size > CHUNK) {
            position = filled = 0;
            failed = deliver_big(function, &h, payload, available - length);
        } else {
            memmove(buffer, buffer + position, available);
            position = 0;
            filled = available;
            if (length && length + h.size > room) {
                room = length + h.size + CHUNK;
                buffer = realloc(buffer, room);
            }
            ssize_t got;
            size_t most = room - filled;
            /* What one read of the kernel costs least; a big text is read on into its own room. */
            if (most > CHUNK && !(length && h.size > CHUNK)) most = CHUNK;
            Py_BEGIN_ALLOW_THREADS
            got = channel_read(&channel, buffer + filled, most);
            Py_END_ALLOW_THREADS
            if (got > 0) filled += (size_t)got;
            else {
                PyErr_SetString(PyExc_EOFError, "the server left");
                failed = -1;
            }
        }
    }
    free(buffer);
    if (inflater.state) inflateEnd(&inflater);
    if (failed) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"attach", attach, METH_O, "Use this descriptor from now on."},
    {"send", send_message, METH_O, "One message, one system call."},
    {"queue", queue, METH_O, "A binary message that is sent with those after it."},
    {"flush", flush, METH_NOARGS, "Send what is queued."},
    {"close", say_goodbye, METH_NOARGS, "Send a Close; the server's ends `run`."},
    {"run", run, METH_VARARGS, "Call a function with each message, until a Close has come."},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "cpython_floor", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_cpython_floor(void) { return PyModule_Create(&definition); }
