"""Libraries in front of the C library: what other file systems would do, where there is none of their kind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

# What `flock` does: on a network file system whose server is away, it may never come back.
LOCKS = {
    "never answers": "for (;;) pause();",
    "there are none": "errno = ENOLCK; return -1;",
}
FLOCK = "int flock(int descriptor, int operation)"
NO_HARD_LINKS = """
int link(const char *name, const char *new_name) { errno = EPERM; return -1; }
int linkat(int at, const char *name, int new_at, const char *new_name, int flags) { errno = EPERM; return -1; }
"""
NO_MODES = """
int fchmod(int descriptor, unsigned mode) { errno = ENOSYS; return -1; }
int chmod(const char *name, unsigned mode) { errno = ENOSYS; return -1; }
"""
OVER_QUOTA = """
#include <stdarg.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
int open64(const char *name, int flags, ...) {
    va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more);
    return syscall(SYS_openat, AT_FDCWD, name, flags, mode);
}
int openat64(int at, const char *name, int flags, ...) {
    va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more);
    if ((flags & O_EXCL) && strstr(name, "session-")) { errno = EDQUOT; return -1; }
    return syscall(SYS_openat, at, name, flags, mode);
}
"""


def flock_that(does: str, folder: Path) -> dict[str, str]:
    """The environment in which locks behave so. Skips the test where there is no C compiler."""
    return preloaded(f"{FLOCK} {{ {LOCKS[does]} }}", folder)


def preloaded(source: str, folder: Path) -> dict[str, str]:
    """The environment in which these functions stand in front of the C library's. Skips as `flock_that` does."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler (on Debian: gcc)")
    library = folder / "preloaded.so"
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=f"#include <errno.h>\n#include <unistd.h>\n{source}", text=True, check=True)
    return {"LD_PRELOAD": str(library)}
