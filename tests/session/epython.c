/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stand-in for PyKdump's extension, which behaves as its Extension/epython.c and
 * functions.c do: refuses minimal sessions; starts Python in the constructor, without
 * site and environment, and keeps it; runs PyKdumpInit from the zip archive behind its
 * own code, which leaves __main__.__file__ there, and leaves an exception where there
 * is no archive; runs programs in __main__; swaps the SIGINT handlers around them; and
 * finalises Python on unloading.  For Python 3.6 and later; PYTHON_HOME is its prefix.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "defs.h"

static struct command_table_entry commands[8];
static struct extension_table *own_extension;
static struct sigaction crash_interrupt, python_interrupt;
static char own_file[PATH_MAX];
static PyObject *crash_error;

static void connect_output(void)
{
	PyObject *out = PyFile_FromFd(fileno(fp), "<crash fp>", "w", -1, NULL, NULL, NULL, 0);

	PySys_SetObject("stdout", out);
	PySys_SetObject("stderr", out);
	Py_XDECREF(out);
}

static PyObject *main_names(void)
{
	return PyModule_GetDict(PyImport_AddModule("__main__"));
}

/* The text of sys.exit(), or the traceback. */
static void report(void)
{
	if (!PyErr_ExceptionMatches(PyExc_SystemExit))
		PyErr_Print();
	else
		fprintf(fp, " -- sys.exit() --\n");
	PyErr_Clear();
}

/* __file__ is set, and removed again, only where none is there. */
static void run_file(const char *path)
{
	PyObject *names = main_names(), *result;
	int had_file = PyDict_GetItemString(names, "__file__") != NULL;
	FILE *program = fopen(path, "r");

	if (!had_file) {
		PyObject *file = PyUnicode_DecodeFSDefault(path);

		PyDict_SetItemString(names, "__file__", file);
		PyDict_SetItemString(names, "__cached__", Py_None);
		Py_DECREF(file);
	}
	result = PyRun_FileEx(program, path, Py_file_input, names, names, 1);
	if (!result)
		report();
	Py_XDECREF(result);
	if (!had_file)
		PyDict_DelItemString(names, "__file__");
}

/* FALSE where there is no archive, with the exception pending, or no such program. */
static int run_from_zip(const char *name)
{
	PyObject *zipimport = PyImport_ImportModule("zipimport");
	PyObject *importer = PyObject_CallMethod(zipimport, "zipimporter", "s", own_file);
	PyObject *code, *names, *file, *result;

	if (!importer)
		return FALSE;
	Py_DECREF(zipimport);
	names = main_names();
	code = PyObject_CallMethod(importer, "get_code", "s", name);
	Py_DECREF(importer);
	if (!code) {
		PyErr_Clear();
		return FALSE;
	}
	file = PyUnicode_FromString(name);
	PyDict_SetItemString(names, "__file__", file);
	Py_DECREF(file);
	result = PyEval_EvalCode(code, names, names);
	Py_DECREF(code);
	if (!result)
		report();
	Py_XDECREF(result);
	return TRUE;
}

static const char *find_program(const char *name)
{
	static char path[2 * PATH_MAX];
	char folders[PATH_MAX], *folder, *rest = NULL;
	const char *more = getenv("PYKDUMPPATH");

	if (name[0] == '/')
		return name;
	snprintf(folders, sizeof(folders), ".:%s", more ? more : "");
	for (folder = strtok_r(folders, ":", &rest); folder; folder = strtok_r(NULL, ":", &rest)) {
		snprintf(path, sizeof(path), "%s/%s", folder, name);
		if (access(path, F_OK) == 0)
			return path;
		strcat(path, ".py");
		if (access(path, F_OK) == 0)
			return path;
	}
	return NULL;
}

static void run_program(int argc, char **argv)
{
	const char *path = find_program(argv[0]);
	PyObject *list = PyList_New(0);

	sigaction(SIGINT, &python_interrupt, NULL);
	connect_output();
	for (int i = 0; i < argc; i++) {
		PyObject *word = PyUnicode_DecodeFSDefault(i || !path ? argv[i] : path);

		PyList_Append(list, word);
		Py_DECREF(word);
	}
	PySys_SetObject("argv", list);
	Py_DECREF(list);
	PyErr_Clear();	/* as call_sys_enterepython() does, whatever was pending */
	if (path)
		run_file(path);
	else if (!run_from_zip(argv[0]))
		fprintf(fp, " Cannot find the program <%s>\n", argv[0]);
	fflush(fp);
	sigaction(SIGINT, &crash_interrupt, NULL);
}

static void cmd_epython(void)
{
	run_program(argcnt - 1, args + 1);
}

static void subcommand(void)
{
	run_program(argcnt, args);
}

/* Collects what the command prints in a file. */
static PyObject *exec_crash_command(PyObject *self, PyObject *arguments)
{
	FILE *outer = fp;
	jmp_buf main_loop;
	volatile int failed = FALSE;
	char *line, *text;
	PyObject *said;
	long size;

	if (!PyArg_ParseTuple(arguments, "s", &line))
		return NULL;
	sigaction(SIGINT, &crash_interrupt, NULL);
	strcpy(pc->command_line, line);
	clean_line(pc->command_line);
	strcpy(pc->orig_line, pc->command_line);
	argcnt = parse_line(pc->command_line, args);
	fflush(fp);
	fp = tmpfile();
	memcpy(main_loop, pc->main_loop_env, sizeof(jmp_buf));
	if (!setjmp(pc->main_loop_env)) {
		exec_command();
		free_all_bufs();
	} else {
		failed = TRUE;
	}
	memcpy(pc->main_loop_env, main_loop, sizeof(jmp_buf));
	fflush(fp);
	size = ftell(fp);
	fseek(fp, 0, SEEK_SET);
	text = malloc(size + 1);
	size = fread(text, 1, size, fp);
	said = PyUnicode_FromStringAndSize(text, size);
	free(text);
	fclose(fp);
	fp = outer;
	sigaction(SIGINT, &python_interrupt, NULL);
	if (!failed && size)
		return said;
	PyErr_SetObject(crash_error, said);
	return NULL;
}

static PyObject *register_epython_prog(PyObject *self, PyObject *arguments)
{
	char *text[4];
	int n = 0;

	if (!PyArg_ParseTuple(arguments, "ssss", text, text + 1, text + 2, text + 3))
		return NULL;
	if (get_command_table_entry(text[0]))
		Py_RETURN_FALSE;
	while (commands[n].name)
		n++;
	commands[n].name = strdup(text[0]);
	commands[n].func = subcommand;
	Py_RETURN_TRUE;
}

static PyMethodDef methods[] = {
	{ "exec_crash_command", exec_crash_command, METH_VARARGS, NULL },
	{ "register_epython_prog", register_epython_prog, METH_VARARGS, NULL },
	{ NULL, NULL, 0, NULL }
};
static struct PyModuleDef module = { PyModuleDef_HEAD_INIT, "crash", NULL, -1, methods };

static PyObject *init_crash(void)
{
	PyObject *crash = PyModule_Create(&module);

	crash_error = PyErr_NewException("crash.error", NULL, NULL);
	Py_INCREF(crash_error);
	PyModule_AddObject(crash, "error", crash_error);
	return crash;
}

static void start_python(void)
{
#if PY_VERSION_HEX >= 0x03080000
	PyConfig config;

	PyConfig_InitPythonConfig(&config);
	config.site_import = 0;
	config.use_environment = 0;
	config.parse_argv = 0;
	PyConfig_SetBytesString(&config, &config.home, PYTHON_HOME);
	Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
#else
	Py_NoSiteFlag = Py_IgnoreEnvironmentFlag = 1;
	Py_SetPythonHome(Py_DecodeLocale(PYTHON_HOME, NULL));
	Py_Initialize();
#endif
}

static void __attribute__((constructor)) load(void)
{
	char *init[] = { "PyKdumpInit", NULL };

	if (pc->flags & MINIMAL_MODE)
		return;
	own_extension = pc->curext;
	snprintf(own_file, sizeof(own_file), "%s", pc->curext->filename);
	if (!Py_IsInitialized()) {
		PyImport_AppendInittab("crash", init_crash);
		sigaction(SIGINT, NULL, &crash_interrupt);
		signal(SIGINT, SIG_DFL);
		start_python();
		sigaction(SIGINT, NULL, &python_interrupt);
		sigaction(SIGINT, &crash_interrupt, NULL);
	} else {
		fprintf(fp, "epython: another interpreter was there before\n");
	}
	commands[0].name = "epython";
	commands[0].func = cmd_epython;
	register_extension(commands);
	connect_output();
	run_from_zip(init[0]);
}

static void __attribute__((destructor)) unload(void)
{
	if (commands[0].name)
		Py_Finalize();
}
