/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Python inside crash: starts the interpreter, or shares the one there is. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

/*
 * An interpreter of another extension may do without the installed packages.
 * The package's folder goes before them, and behind the standard library; a
 * virtual environment beside it holds what it depends on.
 */
static const char find_package[] =
	"import os, sys\n"
	"venv = os.path.join(parent, '.venv', 'lib', 'python%d.%d' % sys.version_info[:2],\n"
	"                    'site-packages')\n"
	"if not any(p.endswith('-packages') for p in sys.path):\n"
	"    sys.path += '" PYTHON_PACKAGES "'.split(':')\n"
	"places = [i for i, p in enumerate(sys.path) if p.endswith(('site-packages', 'dist-packages'))]\n"
	"at = places[0] if places else len(sys.path)\n"
	"sys.path[at:at] = [p for p in (parent, venv) if p not in sys.path and os.path.isdir(p)]\n";

static int start_python(void)
{
	PyConfig config;
	PyStatus status;

	if (Py_IsInitialized())
		return 0;
	PyConfig_InitIsolatedConfig(&config);
	config.install_signal_handlers = 1;
	/* Another python in PATH would lend its prefix, and its modules. */
	status = PyConfig_SetBytesString(&config, &config.program_name, PYTHON_PROGRAM);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
	if (PyStatus_Exception(status)) {
		fprintf(stderr, "qemufix: Python does not start: %s\n",
			status.err_msg ? status.err_msg : "no reason given");
		return -1;
	}
	return 0;
}

static int add_package(const char *folder)
{
	PyObject *names = PyDict_New();
	PyObject *parent = PyUnicode_DecodeFSDefaultAndSize(folder, strrchr(folder, '/') - folder);
	PyObject *done = NULL;

	if (names && parent && PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0
	    && PyDict_SetItemString(names, "parent", parent) == 0)
		done = PyRun_String(find_package, Py_file_input, names, names);
	Py_XDECREF(names);
	Py_XDECREF(parent);
	Py_XDECREF(done);
	return done ? 0 : -1;
}

static PyObject *argument_list(int argc, char **argv)
{
	PyObject *list = PyList_New(0);

	for (int i = 0; list && i < argc; i++) {
		PyObject *item = PyUnicode_DecodeFSDefault(argv[i]);

		if (!item || PyList_Append(list, item) < 0)
			Py_CLEAR(list);
		Py_XDECREF(item);
	}
	return list;
}

static int call_main(int argc, char **argv)
{
	PyObject *module = PyImport_ImportModule("crashext.session.plugin");
	PyObject *arguments = module ? argument_list(argc, argv) : NULL;
	PyObject *result = NULL;
	int status = -1;

	if (arguments)
		result = PyObject_CallMethod(module, "main", "O", arguments);
	if (result)
		status = (int)PyLong_AsLong(result);
	Py_XDECREF(result);
	Py_XDECREF(arguments);
	Py_XDECREF(module);
	return status;
}

/* One line for an exception that plugin.main() could not catch: it was not there yet. */
static int last_resort(void)
{
	PyObject *type, *value, *trace, *text;

	PyErr_Fetch(&type, &value, &trace);
	text = value ? PyObject_Str(value) : NULL;
	fprintf(stderr, "qemufix: the Python part can't be loaded: %s\n",
		text ? PyUnicode_AsUTF8(text) : "no reason given");
	return 1;
}

/* Runs `qemufix argv[1..]`; folder is that of the crashext package. */
__attribute__((visibility("default")))
int qfx_embed(const char *folder, int argc, char **argv)
{
	PyGILState_STATE lock;
	int status;

	if (start_python())
		return 1;
	lock = PyGILState_Ensure();
	status = add_package(folder) ? -1 : call_main(argc, argv);
	if (PyErr_Occurred())
		status = last_resort();
	PyGILState_Release(lock);
	return status;
}
