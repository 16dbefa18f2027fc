"""Reading and writing small files in a folder that other programs, and rubbish, share with us."""

from __future__ import annotations

import errno
import os
import stat
import sys

if sys.platform == "win32":
    # It has neither of the first two; there, creating a symlink is a privilege of its own.
    O_NOFOLLOW, O_NONBLOCK, O_BINARY = 0, 0, os.O_BINARY
else:
    O_NOFOLLOW, O_NONBLOCK, O_BINARY = os.O_NOFOLLOW, os.O_NONBLOCK, 0


class NotARegularFile(OSError):
    """A folder, FIFO, socket, device, or a file larger than we ever write."""

    def __init__(self, says: str) -> None:
        super().__init__(errno.EINVAL, says)


def read(path: str, limit: int, *, follow: bool = False) -> bytes:
    """The whole content of a regular file of at most `limit` bytes.

    Never blocks (a FIFO is opened without waiting for a writer, and not read) and follows a symlink only if told
    to. Raises OSError, of which NotARegularFile is one.
    """
    descriptor, size = _open_regular(path, follow)
    try:
        if size > limit:
            raise NotARegularFile(f"larger than {limit} bytes")
        # One more than expected tells whether the file grew meanwhile.
        content = _read_up_to(descriptor, size + 1)
        if len(content) > size:
            content += _read_up_to(descriptor, limit + 1 - len(content))
        if len(content) > limit:
            raise NotARegularFile(f"larger than {limit} bytes")
        return content
    finally:
        os.close(descriptor)


def read_last_lines(path: str, limit: int) -> bytes:
    """The whole lines among the last `limit` bytes of a regular file. Raises OSError."""
    descriptor, size = _open_regular(path)
    try:
        start = max(0, size - limit)
        os.lseek(descriptor, start, os.SEEK_SET)
        content = _read_up_to(descriptor, limit)
        return content.partition(b"\n")[2] if start else content
    finally:
        os.close(descriptor)


def _open_regular(path: str, follow: bool = False) -> tuple[int, int]:
    """A descriptor to read from, and the size in bytes."""
    descriptor = os.open(path, os.O_RDONLY | O_NONBLOCK | O_BINARY | (0 if follow else O_NOFOLLOW))
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotARegularFile("not a regular file")
    return descriptor, status.st_size


def _read_up_to(descriptor: int, limit: int) -> bytes:
    content = b""
    while chunk := os.read(descriptor, limit - len(content)):  # a short read is no end of file
        content += chunk
    return content


def create(path: str, content: bytes, *, modified: float | None = None, durable: bool = False) -> None:
    """Write a new file with mode 0600. Raises FileExistsError for whatever is there.

    `modified` is its modification time in seconds since the epoch, where it is not to be now. `durable` waits until
    the disk has it, which may take seconds where the disk is busy: not while a user waits for us.
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
            _begin_to_write_out(descriptor)
    except BaseException:
        remove(path)
        raise
    finally:
        os.close(descriptor)


if sys.platform == "linux":

    def _begin_to_write_out(descriptor: int) -> None:
        """Have the kernel begin to write a file to the disk, and do not wait.

        Most file systems write a rename behind the data that are under way by then, so that after a power cut the name
        leads to the whole content, or is not there.
        """
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            pass  # it was but advice

else:

    def _begin_to_write_out(descriptor: int) -> None:
        """Nothing, where there is no way to say so."""


def replace(path: str, content: bytes, *, modified: float | None = None) -> None:
    """Write a file as `create` does, so that readers see all of the old content or all of the new. Raises OSError."""
    temporary = temporary_name(path)
    create(temporary, content, modified=modified)
    try:
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def create_once(path: str, content: bytes) -> None:
    """Make sure that there is a file, made as `create` does where there is none. Of many at once, one makes it.

    It is whole from the first moment, and on the disk: it will not be written again. Raises OSError.
    """
    if os.path.lexists(path):
        return
    temporary = temporary_name(path)
    create(temporary, content, durable=True)
    try:
        os.link(temporary, path)  # unlike a rename, it fails if another was first
    except FileExistsError:
        pass
    finally:
        remove(temporary)


def temporary_name(path: str) -> str:
    """A name beside `path` that no reader of the folder takes for one of ours, and no other process uses."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name.lstrip('.')}.{os.getpid()}.{os.urandom(4).hex()}.tmp")


def is_temporary_name(name: str) -> bool:
    """Whether `name`, without its folder, is one that `temporary_name` gives."""
    parts = name.split(".")
    return len(parts) >= 5 and not parts[0] and parts[-1] == "tmp" and len(parts[-2]) == 8 and parts[-3].isdigit()


def open_ours(path: str, flags: int) -> int:
    """A descriptor of a file of ours, which only its owner may read and write, whatever the umask. Raises OSError."""
    descriptor = os.open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_BINARY, 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
    except OSError:
        pass  # not ours after all: then what is done with it tells
    return descriptor


def append(path: str, content: bytes, *, durable: bool = False) -> None:
    """Write behind what stands in a file, made with mode 0600 if it is missing: all of `content` or nothing of it.

    `durable` waits until the disk has it. Raises OSError, for what is no regular file too.
    """
    descriptor = open_ours(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotARegularFile("not a regular file")
        if os.write(descriptor, content) < len(content):  # the disk is full
            os.truncate(descriptor, status.st_size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: str) -> bool:
    """Remove a file if it is there and can be removed; True if it was."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def make_folder(path: str) -> None:
    """Make sure that `path` is a folder of its own, with mode 0700 if it is new. Raises OSError, for a symlink too."""
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)  # whatever the umask
    except FileExistsError:
        if not is_folder(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def is_folder(path: str) -> bool:
    """Whether `path` is a folder itself, not a symlink to one."""
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def is_file(path: str) -> bool:
    """Whether `path` is a regular file itself, not a symlink to one."""
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def _mode(path: str) -> int | None:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return None
