// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * First process of a guest for which no busybox can be had: says the same truth about itself
 * on the console as the script "init", and knows the actions "spin" and "panic".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

static void copy_text(const char *key, const char *path)
{
	char text[4096] = "";
	FILE *file = fopen(path, "r");

	if (file && fgets(text, sizeof(text), file))
		text[strcspn(text, "\n")] = 0;
	printf("%s %s\n", key, text);
	if (file)
		fclose(file);
}

static void copy_bytes(const char *key, const char *path)
{
	FILE *file = fopen(path, "r");
	int byte;

	printf("%s ", key);
	while (file && (byte = fgetc(file)) != EOF)
		printf("%02x", byte);
	printf("\n");
	if (file)
		fclose(file);
}

static void tell_iomem(void)
{
	static const char *const names[] = { "Kernel code", "Kernel data", "System RAM" };
	char line[256];
	FILE *file = fopen("/proc/iomem", "r");

	while (file && fgets(line, sizeof(line), file))
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (strstr(line, names[i]))
				printf("iomem %s", line + strspn(line, " "));
	if (file)
		fclose(file);
}

/* Those of /symbols, names with | in between. */
static void tell_symbols(void)
{
	char wanted[4096] = "|", line[512], name[256], quoted[260];
	FILE *file = fopen("/symbols", "r");

	if (!file || !fgets(wanted + 1, sizeof(wanted) - 2, file))
		return;
	fclose(file);
	strcat(wanted, "|");
	file = fopen("/proc/kallsyms", "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %*s %255s", name) != 1)
			continue;
		snprintf(quoted, sizeof(quoted), "|%s|", name);
		if (strstr(wanted, quoted))
			printf("symbol %s", line);
	}
	if (file)
		fclose(file);
}

static void tell_truth(void)
{
	struct utsname uts;

	uname(&uts);
	printf("\n=== LAB TRUTH BEGIN running\nrelease %s\n", uts.release);
	copy_text("version", "/proc/version");
	copy_text("cmdline", "/proc/cmdline");
	copy_text("vmcoreinfo", "/sys/kernel/vmcoreinfo");
	copy_bytes("notes", "/sys/kernel/notes");
	copy_text("online", "/sys/devices/system/cpu/online");
	copy_bytes("auxv", "/proc/self/auxv");
	tell_iomem();
	tell_symbols();
	printf("=== LAB TRUTH END running\n");
}

static int asked_for(const char *action)
{
	char text[4096] = "", option[64];
	FILE *file = fopen("/proc/cmdline", "r");

	snprintf(option, sizeof(option), "lab.action=%s", action);
	if (!file || !fgets(text, sizeof(text), file))
		return 0;
	fclose(file);
	return strstr(text, option) != NULL;
}

int main(void)
{
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	if (!freopen("/dev/console", "w", stdout))
		return 1;
	tell_truth();
	fflush(stdout);
	if (asked_for("panic")) {
		/* What was said has to be out before the machine stops. */
		fflush(stdout);
		tcdrain(STDOUT_FILENO);
		int trigger = open("/proc/sysrq-trigger", O_WRONLY);

		return write(trigger, "c", 1) != 1;
	}
	printf("=== LAB READY running\n");
	fflush(stdout);
	while (asked_for("spin"))
		for (volatile long i = 0; i < 1L << 40; i++)
			;
	for (;;)
		pause();
}
