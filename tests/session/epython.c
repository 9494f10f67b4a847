/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stand-in for PyKdump's extension that owns a Python interpreter the way its
 * Extension/epython.c does: refuses minimal sessions, starts Python in the
 * constructor without site and environment, keeps the GIL, runs programs in
 * __main__, swaps the SIGINT handlers around them, and finalises on unloading.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "defs.h"

static struct sigaction crash_interrupt, python_interrupt;
static struct command_table_entry table[8];

static void run_program(int argc, char **argv)
{
	char line[1024];
	PyObject *list = PyList_New(0);

	for (int i = 0; i < argc; i++)
		PyList_Append(list, PyUnicode_DecodeFSDefault(argv[i]));
	PySys_SetObject("argv", list);
	sigaction(SIGINT, &python_interrupt, NULL);
	snprintf(line, sizeof(line),
		 "import sys, os\n"
		 "sys.stdout = sys.stderr = open(%d, 'w', closefd=False)\n"
		 "__file__ = %s'%s'\n"
		 "exec(compile(open(__file__).read(), __file__, 'exec'))\n"
		 "sys.stdout.flush()\n",
		 fileno(fp), "", argv[0]);
	fflush(fp);
	PyRun_SimpleString(line);
	sigaction(SIGINT, &crash_interrupt, NULL);
}

static void cmd_epython(void)
{
	run_program(argcnt - 1, args + 1);
}

static void subcommand(void)
{
	static char path[1024];

	snprintf(path, sizeof(path), "%s/%s.py", getenv("PYKDUMPPATH"), args[0]);
	args[0] = path;
	run_program(argcnt, args);
}

static PyObject *register_epython_prog(PyObject *self, PyObject *arguments)
{
	char *text[4];
	int n = 0;

	if (!PyArg_ParseTuple(arguments, "ssss", text, text + 1, text + 2, text + 3))
		return NULL;
	if (get_command_table_entry(text[0]))
		Py_RETURN_FALSE;
	while (table[n].name)
		n++;
	table[n].name = strdup(text[0]);
	table[n].func = subcommand;
	Py_RETURN_TRUE;
}

static PyObject *get_epython_cmds(PyObject *self, PyObject *unused)
{
	PyObject *list = PyList_New(0);

	for (int n = 0; table[n].name; n++)
		PyList_Append(list, PyUnicode_FromString(table[n].name));
	return list;
}

static PyMethodDef methods[] = {
	{ "register_epython_prog", register_epython_prog, METH_VARARGS, NULL },
	{ "get_epython_cmds", get_epython_cmds, METH_NOARGS, NULL },
	{ NULL, NULL, 0, NULL }
};
static struct PyModuleDef module = { PyModuleDef_HEAD_INIT, "crash", NULL, -1, methods };

static PyObject *init_crash(void)
{
	return PyModule_Create(&module);
}

static void __attribute__((constructor)) load(void)
{
	PyConfig config;

	if (pc->flags & MINIMAL_MODE)
		return;
	if (!Py_IsInitialized()) {
		sigaction(SIGINT, NULL, &crash_interrupt);
		signal(SIGINT, SIG_DFL);
		PyImport_AppendInittab("crash", init_crash);
		PyConfig_InitPythonConfig(&config);
		config.site_import = 0;
		config.use_environment = 0;
		Py_InitializeFromConfig(&config);
		sigaction(SIGINT, NULL, &python_interrupt);
		sigaction(SIGINT, &crash_interrupt, NULL);
	} else {
		fprintf(fp, "epython: another interpreter was there before\n");
	}
	table[0].name = "epython";
	table[0].func = cmd_epython;
	register_extension(table);
}

static void __attribute__((destructor)) unload(void)
{
	if (table[0].name)
		Py_Finalize();
}
