"""Importing out of the bundle: what a run imports, compiled, in one file. bundle.py makes it where we are installed.

To find and read some thirty files takes longer than all that is in them: this saves 1.1 ms of a run, a seventh of the
start of Python. `__main__.py` has this very module out of the bundle, too, before anything of ours is imported.
"""

import marshal
import sys

# In public, they would have to be loaded first.
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import stat
    from types import CodeType, ModuleType
    from typing import Any

    _imp: Any
    # As bundle.py has them: a file below our library, its date and size; and a module's name, file, compiled file, and
    # folder if it is a package.
    Dated = tuple[str, int, int]
    Module = tuple[str, Dated, str, str | None]
else:
    import _imp

    if sys.platform == "win32":
        from nt import stat
    else:
        from posix import stat


def install(
    library: str, code: memoryview, reader: "Dated", parts: "list[tuple[list[Module], int, int]]", size: int
) -> None:
    """Have what is in a bundle imported out of it. Our package is in the folder `library`.

    Raises something if the bundle is not whole, or the file of this very code has been changed since.
    """
    _unchanged(library, reader)
    if len(code) != size:
        raise ValueError("torn")
    sys.meta_path.insert(0, _Bundle(library, code, parts))


class _Bundle:
    """Finds modules. Where a part is of several, all are taken in when the first is looked for."""

    def __init__(self, library: str, code: memoryview, parts: "list[tuple[list[Module], int, int]]") -> None:
        self._library = library
        self._code = code
        self._parts = {module[0]: part for part in parts for module in part[0]}

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """The module, unless it is not here, or has been changed since: then it is imported as ever."""
        if name not in self._parts:
            return None
        modules, start, end = self._parts[name]
        for each, *_ in modules:
            del self._parts[each]
        try:
            codes = marshal.loads(self._code[start:end])  # noqa: S302 - as trusted as a .pyc beside it
            loaders = {module[0]: _Loader(self._library, module, code) for module, code in zip(modules, codes)}
            if len(loaders) > 1:
                _take_in(loaders)
        except Exception:
            return None
        return loaders[name].spec


class _Loader(SourceFileLoader):
    """Has the code of a module out of the bundle, and is in all else what loads every module."""

    def __init__(self, library: str, module: "Module", code: "CodeType") -> None:
        """Raises OSError or ValueError if the file has been changed since."""
        name, file, cached, folder = module
        super().__init__(name, _unchanged(library, file))
        _imp._fix_co_filename(code, self.path)  # the folder may have been moved
        self._code: CodeType | None = code
        self.spec = ModuleSpec(name, self, origin=self.path)
        self.spec.has_location = True
        self.spec.cached = library + cached
        if folder is not None:
            self.spec.submodule_search_locations = [library + folder]

    def create_module(self, spec: ModuleSpec) -> "ModuleType | None":
        """What has been taken in; None for the usual."""
        return sys.modules.get(spec.name)

    def exec_module(self, module: "ModuleType") -> None:
        """Run it, unless that has been done."""
        code, self._code = self._code, None
        if code:
            exec(code, module.__dict__)  # noqa: S102


def _unchanged(library: str, file: "Dated") -> str:
    """The path of a file. Raises OSError or ValueError if it has been changed since."""
    name, date, size = file
    now = stat(library + name)
    if int(now.st_mtime) != date or now.st_size != size:  # what a .pyc is asked
        raise ValueError("changed")
    return library + name


def _take_in(loaders: "dict[str, _Loader]") -> None:
    """Make all modules, and then run each. Raises what they raise, and then none of them is there.

    To import each by itself would take longer. No other thread may import any of them meanwhile.
    """
    try:
        for name, loader in sorted(loaders.items()):  # a package before what is in it
            spec = loader.spec
            sys.modules[name] = module = type(sys)(name)
            module.__spec__, module.__loader__, module.__package__ = spec, loader, spec.parent
            module.__file__, module.__dict__["__cached__"] = spec.origin, spec.cached
            if spec.submodule_search_locations is not None:
                module.__path__ = spec.submodule_search_locations
            package, _, last = name.rpartition(".")
            if package:
                setattr(sys.modules[package], last, module)
        for name, loader in loaders.items():
            loader.exec_module(sys.modules[name])
    except BaseException:
        for name in loaders:
            sys.modules.pop(name, None)
        raise
