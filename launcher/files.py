"""Reading and writing small files in a folder that other programs, and rubbish, share with us."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

# Windows has neither; there, creating a symlink is a privilege of its own.
O_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
O_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
O_BINARY = getattr(os, "O_BINARY", 0)


class NotARegularFile(OSError):
    """A folder, FIFO, socket, device, or a file larger than we ever write."""


def read(path: str, limit: int, *, follow: bool = False) -> bytes:
    """The whole content of a regular file of at most `limit` bytes.

    Never blocks (a FIFO is opened without waiting for a writer, and not read) and follows a symlink only if told
    to. Raises OSError, of which NotARegularFile is one.
    """
    descriptor = os.open(path, os.O_RDONLY | O_NONBLOCK | O_BINARY | (0 if follow else O_NOFOLLOW))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotARegularFile("not a regular file")
        if status.st_size > limit:
            raise NotARegularFile(f"larger than {limit} bytes")
        content = b""
        # One more than expected tells whether the file grew meanwhile; a short read is no end of file.
        while chunk := os.read(descriptor, limit + 1 - len(content)):
            content += chunk
            if len(content) > limit:
                raise NotARegularFile(f"larger than {limit} bytes")
        return content
    finally:
        os.close(descriptor)


def create(path: str, content: bytes, modified: float | None = None) -> None:
    """Write a new file with mode 0600, and see it onto the disk. Raises FileExistsError for whatever is there.

    `modified` is its modification time in seconds since the epoch, where it is not to be now.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | O_NOFOLLOW | O_BINARY, 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)  # a umask of 0777 would make it unreadable for ourselves
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        if modified is not None:
            os.utime(path, (modified, modified))
        # Before the rename that follows: a name that survives a power cut must not lead to an empty file.
        os.fsync(descriptor)
    except BaseException:
        remove(path)
        raise
    finally:
        os.close(descriptor)


def replace(path: str, content: bytes, modified: float | None = None) -> None:
    """Write a file as `create` does, so that readers see all of the old content or all of the new. Raises OSError."""
    temporary = temporary_name(path)
    create(temporary, content, modified)
    try:
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def temporary_name(path: str) -> str:
    """A name beside `path` that no reader of the folder takes for one of ours, and no other process uses."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name.lstrip('.')}.{os.getpid()}.{os.urandom(4).hex()}.tmp")


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
            raise NotADirectoryError("not a folder") from None


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
