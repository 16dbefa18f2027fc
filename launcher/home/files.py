"""Small files, and the directories of ours that they lie in, to which chef-run and any other program write as well.

Between a look at a name and its use, somebody may exchange what it stands for, also for a link that leads elsewhere. So
a Directory is opened once, and everything in it is reached by its descriptor; a file is checked when it is open, and
what was checked is what is read or changed. Windows has no such calls, and to make a symbolic link there takes a
privilege of its own: names are joined to paths there.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Version = tuple[int, int]  # of a file: its inode, and its modification time in nanoseconds

if sys.platform == "win32":
    _SAFELY, _DIRECTORY = os.O_BINARY, 0

    def _i_am_root() -> bool:
        return False
else:
    _SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK
    # Linux opens a directory for looking names up in it alone, and then it need not be readable.
    _DIRECTORY = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)

    def _i_am_root() -> bool:
        return os.geteuid() == 0


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


class OfAnother(PermissionError):
    """What root is to use belongs to another user, who may do with it as they like."""

    def __init__(self) -> None:
        super().__init__(errno.EPERM, "it belongs to another user")


class Directory:
    """A directory. It is opened when it is first needed, and stays that one until it is closed, whatever happens to its
    name; after that it may be opened anew.

    Whatever is asked of it raises OSError if it cannot be opened: NotADirectoryError for a symbolic link too, OfAnother
    if this is root's process and the directory is not root's. All names are names in it; none is followed if it is a
    link.
    """

    __slots__ = ("_descriptor", "_name", "_parent", "path")

    def __init__(self, path: str, parent: Directory | None = None) -> None:
        """With a `parent`, `path` is a name in it. Without, links that lead there are followed."""
        self.path: str = os.path.join(parent.path, path) if parent else path
        self._name = path
        self._parent = parent
        self._descriptor: int | None = None

    def _opened(self) -> int | None:
        """The descriptor that names are looked up in; None on Windows, where it is seen that there is a directory."""
        if self._descriptor is None:
            self._descriptor = self._open()
        return self._descriptor

    if sys.platform == "win32":

        def _open(self) -> int | None:
            if not stat.S_ISDIR(os.lstat(self.path).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            return None

        def _at(self, name: str) -> str:
            return os.path.join(self.path, name)

    else:

        def _open(self) -> int | None:
            try:
                if self._parent is None:
                    descriptor = os.open(self._name, _DIRECTORY)
                else:
                    descriptor = os.open(self._name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self._parent._opened())
            except OSError as error:
                if error.errno == errno.ELOOP:  # what some systems say of a link
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
                raise
            if _i_am_root() and os.fstat(descriptor).st_uid != 0:
                os.close(descriptor)
                raise OfAnother
            return descriptor

        def _at(self, name: str) -> str:
            return name

    def close(self) -> None:
        """Let go of the directory that was opened, if one was."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def open(self) -> None:
        """Open it, if it is not open, for no other purpose than to know that it can be."""
        self._opened()

    def exists(self) -> bool:
        """Whether it can be opened."""
        try:
            self._opened()
        except OSError:
            return False
        return True

    def make(self) -> None:
        """Make sure that there is a directory, with mode 0700 if it is a new one, in its parent."""
        assert self._parent is not None
        before = os.umask(0o077)  # there is no chmod that follows no link everywhere
        try:
            os.mkdir(self._parent._at(self._name), 0o700, dir_fd=self._parent._opened())
        except FileExistsError:
            pass
        finally:
            os.umask(before)
        self._opened()

    def is_writable(self) -> bool:
        """Whether files can be made in it, as far as permissions tell."""
        return os.access(self._at("."), os.W_OK | os.X_OK, dir_fd=self._opened())

    def status(self, name: str) -> os.stat_result:
        """The status of what has this name, of a link itself; of the directory itself by ".". Raises OSError."""
        return os.stat(self._at(name), dir_fd=self._opened(), follow_symlinks=False)

    def has(self, name: str) -> bool:
        """Whether anything has this name."""
        try:
            self.status(name)
        except OSError:
            return False
        return True

    def version(self, name: str) -> Version:
        """The version of the file of this name. Raises OSError."""
        return version_of(self.status(name))

    def regular_files(self, matches: Callable[[str], bool]) -> Iterator[str]:
        """The names of the regular files that match, in any order; nothing if the directory cannot be read."""
        for entry in self._entries():
            if matches(entry.name) and entry.is_file(follow_symlinks=False):
                yield entry.name

    def first_files(self, matches: Callable[[str], bool], at_most: int) -> tuple[list[str], bool]:
        """As `regular_files`, among the first `at_most` names of the directory; and whether these are all there are."""
        found: list[str] = []
        for number, entry in enumerate(self._entries()):
            if number == at_most:
                return found, False
            if matches(entry.name) and entry.is_file(follow_symlinks=False):
                found.append(entry.name)
        return found, True

    def names(self) -> list[str]:
        """All names in it; none if it cannot be read."""
        return [entry.name for entry in self._entries()]

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        try:
            # Each list has a descriptor of its own, or two at once would share their place in it.
            listed = self._open_list()
        except OSError:
            return
        try:
            with os.scandir(listed) as entries:
                yield from entries
        except OSError:
            return
        finally:
            if isinstance(listed, int):
                os.close(listed)

    if sys.platform == "win32":

        def _open_list(self) -> str:
            self._opened()
            return self.path

    else:

        def _open_list(self) -> int:
            return os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._opened())

    def read(self, name: str, limit: int, *, expected: Version | None = None) -> bytes:
        """The whole content of a regular file of at most `limit` bytes. Never blocks.

        Raises OSError: NotARegularFile, TooLarge, or Changed if the file is not the `expected` version.
        """
        return self.read_with_status(name, limit, expected=expected)[0]

    def read_with_status(
        self, name: str, limit: int, *, expected: Version | None = None
    ) -> tuple[bytes, os.stat_result]:
        """The same, and the status of what was read."""
        descriptor, status = self.open_to_look(name)
        try:
            if expected is not None and version_of(status) != expected:
                raise Changed
            return _whole(descriptor, limit), status
        finally:
            os.close(descriptor)

    def read_last_lines(self, name: str, limit: int) -> bytes:
        """The complete lines among the last `limit` bytes of a regular file. Raises OSError."""
        descriptor, status = self.open_to_look(name)
        try:
            start = max(0, status.st_size - limit)
            os.lseek(descriptor, start, os.SEEK_SET)
            content = _up_to(descriptor, limit)
        finally:
            os.close(descriptor)
        return content.partition(b"\n")[2] if start else content

    def open_to_look(self, name: str) -> tuple[int, os.stat_result]:
        """A descriptor of a regular file to read from, and its status. Raises OSError, as `read` does."""
        if not stat.S_ISREG(self.status(name).st_mode):  # whoever writes into a FIFO would take us for its reader
            raise NotARegularFile
        descriptor = os.open(self._at(name), os.O_RDONLY | _SAFELY, dir_fd=self._opened())
        return descriptor, _regular(descriptor)

    def open_new(self, name: str) -> int:
        """A descriptor of a new file with mode 0600. Raises FileExistsError if anything has the name, OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY
        return _with_mode(os.open(self._at(name), flags, 0o600, dir_fd=self._opened()))

    def open_ours(self, name: str, flags: int) -> int:
        """A descriptor of a file of ours that is changed where it is; with O_CREAT, with mode 0600 whatever the umask.

        Raises OSError: NotARegularFile, or PermissionError if the file has a second name, which may be anywhere, or is
        not root's as root's process is.
        """
        descriptor = os.open(self._at(name), flags | _SAFELY, 0o600, dir_fd=self._opened())
        status = _regular(descriptor)
        try:
            if _i_am_root() and status.st_uid != 0:
                raise OfAnother
            if status.st_nlink > 1 or not os.path.samestat(status, self.status(name)):
                raise PermissionError(errno.EPERM, "it is known by another name too")
        except BaseException:
            os.close(descriptor)
            raise
        return _with_mode(descriptor) if flags & os.O_CREAT else descriptor

    def create(self, name: str, content: bytes, *, modified: float | None = None, durable: bool = False) -> None:
        """Write a new file with mode 0600. Raises FileExistsError if anything has the name, OSError.

        `modified` sets its modification time, in seconds since the epoch. `durable` waits until the content is on disk,
        which may take seconds on a busy one: not to be used while a user waits.
        """
        descriptor = self.open_new(name)
        try:
            write_all(descriptor, content)
            if modified is not None:
                os.utime(self._file(descriptor, name), (modified, modified))
            if durable:
                os.fsync(descriptor)
            else:
                _start_writeback(descriptor)
        except BaseException:
            self.remove(name)
            raise
        finally:
            os.close(descriptor)

    if sys.platform == "win32":

        def _file(self, descriptor: int, name: str) -> str:
            return self._at(name)

    else:

        def _file(self, descriptor: int, name: str) -> int:
            return descriptor

    def replace(self, name: str, content: bytes, *, modified: float | None = None) -> None:
        """Write a file as `create` does, so that readers see either the old or the new content. Raises OSError."""
        temporary = temporary_name(name)
        self.create(temporary, content, modified=modified)
        try:
            self.rename(temporary, name)
        except BaseException:
            self.remove(temporary)
            raise

    def rename(self, name: str, new: str, into: Directory | None = None) -> None:
        """Give a file another name, here or in another directory, in the place of what had that. Raises OSError."""
        into = into or self
        os.replace(self._at(name), into._at(new), src_dir_fd=self._opened(), dst_dir_fd=into._opened())

    def create_once(self, name: str, content: bytes, *, durable: bool = True) -> bool:
        """Make sure that there is a file: if there is none, write it as `create` does. Of concurrent callers, one wins.

        Its content is complete, and on disk if it is to be `durable`, before it gets its name; but not where the file
        system has no hard links: there, it gets its name first. True if this call has made it. Raises OSError.
        """
        if self.has(name):
            return False
        temporary = temporary_name(name)
        self.create(temporary, content, durable=durable)
        try:
            try:
                self._link(temporary, name)  # unlike a rename, fails if another caller was first
            except FileExistsError:
                raise
            except OSError:
                self.create(name, content, durable=durable)
        except FileExistsError:
            return False
        finally:
            self.remove(temporary)
        return True

    def wait_until_written(self, name: str) -> None:
        """Give another process up to 0.2 seconds to write to a file that it has just made, and that is still empty."""
        for _ in range(20):
            if not self._is_being_written(name):
                break
            time.sleep(0.01)

    def _is_being_written(self, name: str) -> bool:
        try:
            status = self.status(name)
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == 0 and abs(time.time() - status.st_mtime) < 2

    if sys.platform == "win32":

        def _link(self, name: str, new: str) -> None:
            os.link(self._at(name), self._at(new))

    else:

        def _link(self, name: str, new: str) -> None:
            here = self._opened()
            os.link(name, new, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)

    def append(self, name: str, content: bytes, *, durable: bool = False) -> None:
        """Append all of `content` to a file of ours, or nothing of it. A missing file is created with mode 0600.

        `durable` waits until the content is on disk. Raises OSError, as `open_ours` does.
        """
        descriptor = self.open_ours(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, content) < len(content):  # the disk is full
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, name: str, *, expected: Version | None = None) -> bool:
        """Remove a file, if it can be removed and is the `expected` version; True if this call removed it."""
        try:
            if expected is not None and self.version(name) != expected:
                return False
            os.unlink(self._at(name), dir_fd=self._opened())
        except OSError:
            return False
        return True


def read(path: str, limit: int) -> bytes:
    """The whole content of a regular file anywhere, of at most `limit` bytes; links that lead there are followed.

    Never blocks. Raises OSError: NotARegularFile, TooLarge.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):  # whoever writes into a FIFO would take us for its reader
        raise NotARegularFile
    descriptor = os.open(path, os.O_RDONLY | (_SAFELY & ~getattr(os, "O_NOFOLLOW", 0)))
    _regular(descriptor)
    try:
        return _whole(descriptor, limit)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of it. Raises OSError."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def version_of(status: os.stat_result) -> Version:
    """The version of a file with this status."""
    return status.st_ino, status.st_mtime_ns


def others_can_write(status: os.stat_result) -> bool:
    """Whether another user than root and this one can write to what has this status, as far as its mode tells.

    With root's, so can a group; else not this user's own, which on many systems has no other member.
    """
    if sys.platform == "win32":
        return False
    is_own_group = not _i_am_root() and status.st_gid == os.getegid()
    return status.st_uid not in (0, os.geteuid()) or bool(status.st_mode & (0o002 if is_own_group else 0o022))


def temporary_name(name: str) -> str:
    """A name that no reader of the directory takes for one of ours, and no other process uses."""
    return f".{name.lstrip('.')}.{os.getpid()}.{os.urandom(4).hex()}.tmp"


def is_temporary_name(name: str) -> bool:
    """Whether `name` has the form that `temporary_name` gives."""
    parts = name.split(".")
    return len(parts) >= 5 and not parts[0] and parts[-1] == "tmp" and len(parts[-2]) == 8 and parts[-3].isdigit()


def _regular(descriptor: int) -> os.stat_result:
    """The status of what the descriptor refers to. Closes it and raises if that is no regular file."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise NotARegularFile
    return status


def _with_mode(descriptor: int) -> int:
    """The descriptor of a file, which has mode 0600 now, where there are modes."""
    try:
        if sys.platform != "win32":
            os.fchmod(descriptor, 0o600)
    except OSError:
        pass
    return descriptor


def _whole(descriptor: int, limit: int) -> bytes:
    content = _up_to(descriptor, limit + 1)
    if len(content) > limit:
        raise TooLarge(limit)
    return content


def _up_to(descriptor: int, limit: int) -> bytes:
    content = b""
    while chunk := os.read(descriptor, limit - len(content)):  # one read may return less than there is
        content += chunk
    return content


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
