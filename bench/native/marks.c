/* Calls from Python -> requests to valgrind's callgrind (without valgrind they do nothing), and a
 * clock that does not know how slow valgrind is. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <valgrind/callgrind.h>

/* From here on instructions are counted; what was before costs next to no time. */
static PyObject *begin(PyObject *module, PyObject *nothing) {
    (void)module;
    (void)nothing;
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    Py_RETURN_NONE;
}

/* The counts since the mark before go into a file of their own. */
static PyObject *mark(PyObject *module, PyObject *nothing) {
    (void)module;
    (void)nothing;
    CALLGRIND_DUMP_STATS;
    Py_RETURN_NONE;
}

/* Seconds, ten microseconds later each time: what depends on the time that has passed is the same in
 * every run. Far ahead of the machine's own clock, which a lane looks at to see if the thread is wanted
 * elsewhere: it is not. */
static PyObject *now(PyObject *module, PyObject *nothing) {
    static uint64_t looks;
    (void)module;
    (void)nothing;
    return PyFloat_FromDouble(1e9 + (double)++looks * 1e-5);
}

static PyMethodDef methods[] = {
    {"begin", begin, METH_NOARGS, "Count from here on."},
    {"mark", mark, METH_NOARGS, "Write down what was counted since the mark before."},
    {"now", now, METH_NOARGS, "A clock that only moves when it is looked at."},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "marks", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_marks(void) { return PyModule_Create(&definition); }
