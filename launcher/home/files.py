"""Reading and writing small files in a directory that chef-run, and any other program, writes to as well."""

from __future__ import annotations

import errno
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Version = tuple[int, int]  # of a file: its inode, and its modification time in nanoseconds

if sys.platform == "win32":
    # Windows has neither of the first two. Creating a symlink there takes a privilege of its own.
    O_NOFOLLOW, O_NONBLOCK, O_BINARY = 0, 0, os.O_BINARY
else:
    O_NOFOLLOW, O_NONBLOCK, O_BINARY = os.O_NOFOLLOW, os.O_NONBLOCK, 0


class NotARegularFile(OSError):
    """A directory, a FIFO, a socket or a device."""

    def __init__(self) -> None:
        super().__init__(errno.EINVAL, "not a regular file")


class TooLarge(OSError):
    """A file larger than the caller is ready to read."""

    def __init__(self, limit: int) -> None:
        super().__init__(errno.EFBIG, f"larger than {limit} bytes")


class Changed(OSError):
    """Not the version of the file that the caller expected."""

    def __init__(self) -> None:
        super().__init__(errno.ESTALE, "changed meanwhile")


def read(path: str, limit: int, *, follow: bool = False, expected: Version | None = None) -> bytes:
    """The whole content of a regular file of at most `limit` bytes.

    Never blocks, and opens nothing but a regular file: who writes into a FIFO would take us for its reader. A symbolic
    link is followed only if `follow` is set. Raises OSError: NotARegularFile, TooLarge, or Changed if the file is not
    the `expected` version.
    """
    descriptor, status = _open_regular(path, follow)
    try:
        if expected is not None and _version_of(status) != expected:
            raise Changed
        content = _read_up_to(descriptor, limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise TooLarge(limit)
    return content


def read_last_lines(path: str, limit: int) -> bytes:
    """The complete lines among the last `limit` bytes of a regular file. Raises OSError."""
    descriptor, status = _open_regular(path)
    try:
        start = max(0, status.st_size - limit)
        os.lseek(descriptor, start, os.SEEK_SET)
        content = _read_up_to(descriptor, limit)
    finally:
        os.close(descriptor)
    return content.partition(b"\n")[2] if start else content


def _open_regular(path: str, follow: bool = False) -> tuple[int, os.stat_result]:
    """A descriptor to read from, and the status of what it refers to."""
    before = os.stat(path, follow_symlinks=follow)
    if not stat.S_ISREG(before.st_mode) and not stat.S_ISLNK(before.st_mode):
        raise NotARegularFile
    descriptor = os.open(path, os.O_RDONLY | O_NONBLOCK | O_BINARY | (0 if follow else O_NOFOLLOW))
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotARegularFile
    return descriptor, status


def _read_up_to(descriptor: int, limit: int) -> bytes:
    content = b""
    while chunk := os.read(descriptor, limit - len(content)):  # one read may return less than there is
        content += chunk
    return content


def version(path: str) -> Version:
    """The version of the file at `path`, of a symlink itself. Raises OSError."""
    return _version_of(os.lstat(path))


def _version_of(status: os.stat_result) -> Version:
    return status.st_ino, status.st_mtime_ns


def regular_files(directory: str, matches: Callable[[str], bool]) -> Iterator[os.DirEntry[str]]:
    """The regular files in a directory whose names match, in any order; nothing if it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if matches(entry.name) and entry.is_file(follow_symlinks=False):
                    yield entry
    except OSError:
        return


def create(path: str, content: bytes, *, modified: float | None = None, durable: bool = False) -> None:
    """Write a new file with mode 0600. Raises FileExistsError if anything is there already.

    `modified` sets its modification time, in seconds since the epoch. `durable` waits until the content is on disk,
    which may take seconds on a busy one: not to be used while a user waits.
    """
    descriptor = open_ours(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        if modified is not None:
            os.utime(path, (modified, modified))
        if durable:
            os.fsync(descriptor)
        else:
            _start_writeback(descriptor)
    except BaseException:
        remove(path)
        raise
    finally:
        os.close(descriptor)


if sys.platform == "linux":

    def _start_writeback(descriptor: int) -> None:
        """Have the kernel start writing a file to disk, without waiting for it.

        Most file systems order a rename after the writes that are in progress, so that after a power cut the name leads
        to the complete content, or does not exist.
        """
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            pass  # advice that the system need not take

else:

    def _start_writeback(descriptor: int) -> None:
        """Does nothing: only Linux has a call for it."""


def replace(path: str, content: bytes, *, modified: float | None = None) -> None:
    """Write a file as `create` does, so that readers see either the old or the new content. Raises OSError."""
    temporary = temporary_name(path)
    create(temporary, content, modified=modified)
    try:
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def create_once(path: str, content: bytes, *, durable: bool = True) -> bool:
    """Make sure that there is a file: if there is none, write it as `create` does. Of concurrent callers, one wins.

    Its content is complete, and on disk if it is to be `durable`, before it gets its name. True if this call has made
    it. Raises OSError.
    """
    if os.path.lexists(path):
        return False
    temporary = temporary_name(path)
    create(temporary, content, durable=durable)
    try:
        os.link(temporary, path)  # unlike a rename, fails if another caller was first
        return True
    except FileExistsError:
        return False
    finally:
        remove(temporary)


def temporary_name(path: str) -> str:
    """A name beside `path` that no reader of the directory takes for one of ours, and no other process uses."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name.lstrip('.')}.{os.getpid()}.{os.urandom(4).hex()}.tmp")


def is_temporary_name(name: str) -> bool:
    """Whether `name`, without its directory, has the form that `temporary_name` gives."""
    parts = name.split(".")
    return len(parts) >= 5 and not parts[0] and parts[-1] == "tmp" and len(parts[-2]) == 8 and parts[-3].isdigit()


def open_ours(path: str, flags: int) -> int:
    """A descriptor of a file of ours, with mode 0600 whatever the umask. Raises OSError."""
    descriptor = os.open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_BINARY, 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
    except OSError:
        pass  # it belongs to another user; reading or writing it will fail if it must
    return descriptor


def append(path: str, content: bytes, *, durable: bool = False) -> None:
    """Append all of `content` to a file, or nothing of it. A missing file is created with mode 0600.

    `durable` waits until the content is on disk. Raises OSError; NotARegularFile is one.
    """
    descriptor = open_ours(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotARegularFile
        if os.write(descriptor, content) < len(content):  # the disk is full
            os.truncate(descriptor, status.st_size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: str, *, expected: Version | None = None) -> bool:
    """Remove a file, if it can be removed and is the `expected` version; True if this call removed it."""
    try:
        if expected is not None and version(path) != expected:
            return False
        os.unlink(path)
    except OSError:
        return False
    return True


def make_directory(path: str) -> None:
    """Make sure that `path` is a directory itself; a new one gets mode 0700. Raises OSError, for a symlink too."""
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # whatever the umask
    except FileExistsError:
        if not is_directory(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def is_directory(path: str) -> bool:
    """Whether `path` is a directory itself, not a symlink to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
