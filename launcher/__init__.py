"""The launcher in front of chef-run."""

__version__ = "0.1.0"

import marshal
import sys

try:
    from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader, spec_from_file_location
except ImportError:  # where the inside of Python is another; in public they have to be loaded first
    from importlib.machinery import SourceFileLoader
    from importlib.util import MAGIC_NUMBER, spec_from_file_location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any

    _imp: Any
else:
    import _imp

# A run writes nothing but its record: no bytecode either. Installations compile theirs.
sys.dont_write_bytecode = True

_FOLDER = __path__[0]
BUNDLE = f"{_FOLDER}/__pycache__/run.{sys.implementation.cache_tag}.bundle"


class _Bundle:
    """The modules of a run, compiled, in one file: bundle.py makes it where the launcher is installed.

    To find and read some thirty files takes longer than all that is in them: this saves 1.2 ms of a run, an eighth of
    the start of Python. It is here because a module of its own would have to be found and read: 0.3 ms of these.
    """

    def __init__(self, path: str) -> None:
        """Raises something if there is none at this path, or none for this Python."""
        with open(path, "rb", buffering=0) as file:
            content = memoryview(file.read())
        if content[:4] != MAGIC_NUMBER:
            raise ValueError("of another Python")
        end = int.from_bytes(content[4:8], "little")
        self._modules, size = marshal.loads(content[8:end])  # noqa: S302 - as trusted as a .pyc beside it
        self._code = content[end:]
        if len(self._code) != size:
            raise ValueError("torn")

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """The module, unless it is not here, or has been changed since: then it is imported as ever."""
        if name not in self._modules:
            return None
        file, cached, folder, date, size, start, end = self._modules[name]
        loader = _Loader(name, _FOLDER + file)
        loader.compiled = self._code[start:end]
        try:
            now = loader.path_stats(loader.path)
        except OSError:
            return None
        if int(now["mtime"]) != date or now["size"] != size:  # what a .pyc is asked
            return None
        inside = None if folder is None else [_FOLDER + folder]
        spec = spec_from_file_location(name, loader.path, loader=loader, submodule_search_locations=inside)
        if spec:
            spec.cached = _FOLDER + cached
        return spec


class _Loader(SourceFileLoader):
    """Takes the code out of the bundle, and is in all else what loads every module."""

    compiled = memoryview(b"")

    def get_code(self, fullname: str) -> "CodeType | None":
        try:
            code: CodeType = marshal.loads(self.compiled)  # noqa: S302
            _imp._fix_co_filename(code, self.path)  # the folder may have been moved
            return code
        except Exception:
            return super().get_code(fullname)


try:
    sys.meta_path.insert(0, _Bundle(BUNDLE))
except Exception:
    pass  # imported as ever
