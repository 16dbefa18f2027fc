/* In front of the C library, for the tools that change something: with the so-many-th change, whoever makes it, the whole
 * process group is killed (CUT_SHORT=NUMBER), or nothing can be changed any more (NUMBER:ERRNO), or that one change
 * alone cannot be made (NUMBER:-ERRNO). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT "/changes" /* a byte for each */

static const char *tools[] = {"ln", "mv", "rm", "rmdir", "mkdir", "dpkg-divert"};

static int number, error;

__attribute__((constructor)) static void set_up(void) {
    const char *given = getenv("CUT_SHORT");
    for (unsigned i = 0; given && i < sizeof tools / sizeof *tools; i++)
        if (strcmp(program_invocation_short_name, tools[i]) == 0)
            sscanf(given, "%d:%d", &number, &error);
}

static long changes(int add) {
    struct stat status;
    int file = syscall(SYS_openat, AT_FDCWD, COUNT, O_CREAT | O_WRONLY | O_APPEND, 0644);
    if (add)
        syscall(SYS_write, file, "+", 1);
    fstat(file, &status);
    close(file);
    return status.st_size;
}

static int may_change(void) {
    if (!number || !error)
        return 1;
    int this = changes(0) + 1;
    if (error > 0 ? this < number : this != number)
        return 1;
    if (this == number)
        changes(1);
    errno = abs(error);
    return 0;
}

static int changed(int result) {
    if (number && result >= 0 && changes(1) == number && !error)
        kill(0, SIGKILL);
    return result;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CHANGING(name, parameters, arguments) \
    int name parameters { return may_change() ? changed(REAL(name) arguments) : -1; }

CHANGING(rename, (const char *a, const char *b), (a, b))
CHANGING(renameat, (int i, const char *a, int j, const char *b), (i, a, j, b))
CHANGING(renameat2, (int i, const char *a, int j, const char *b, unsigned flags), (i, a, j, b, flags))
CHANGING(link, (const char *a, const char *b), (a, b))
CHANGING(linkat, (int i, const char *a, int j, const char *b, int flags), (i, a, j, b, flags))
CHANGING(symlink, (const char *a, const char *b), (a, b))
CHANGING(symlinkat, (const char *a, int i, const char *b), (a, i, b))
CHANGING(unlink, (const char *a), (a))
CHANGING(mkdir, (const char *a, mode_t mode), (a, mode))
CHANGING(rmdir, (const char *a), (a))

/* Not each of the hundreds of files of bytecode. */
int unlinkat(int i, const char *a, int flags) {
    if (!may_change())
        return -1;
    int result = REAL(unlinkat)(i, a, flags);
    return i == AT_FDCWD && !strstr(a, "__pycache__") ? changed(result) : result;
}

FILE *fopen(const char *name, const char *mode) { /* as dpkg-divert writes */
    int writes = *mode != 'r';
    if (writes && !may_change())
        return NULL;
    FILE *file = REAL(fopen)(name, mode);
    if (writes)
        changed(file ? 0 : -1);
    return file;
}
