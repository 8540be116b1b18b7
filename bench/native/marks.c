/* Calls from Python -> requests to valgrind's callgrind; without valgrind they do nothing. */
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

static PyMethodDef methods[] = {
    {"begin", begin, METH_NOARGS, "Count from here on."},
    {"mark", mark, METH_NOARGS, "Write down what was counted since the mark before."},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "marks", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_marks(void) { return PyModule_Create(&definition); }
