"""Importing out of the bundle: what a run imports, compiled, in one file. bundle.py makes it where we are installed.

To find and read some thirty files takes longer than all that is in them: this saves 1.1 ms of a run, a seventh of the
start of Python. `__main__.py` has this very module out of the bundle, too, before anything of ours is imported.
"""

import marshal
import sys
from _frozen_importlib import ModuleSpec  # in public, it would have to be loaded first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import stat
    from types import ModuleType
    from typing import Any

    _imp: Any
    # Name, file, compiled file, folder if it is a package; date and size of the file.
    Module = tuple[str, str, str, str | None, int, int]
else:
    import _imp

    if sys.platform == "win32":
        from nt import stat
    else:
        from posix import stat


def install(library: str, content: memoryview, begin: int) -> None:
    """Have what is in a bundle imported out of it. Our package is in the folder `library`.

    `begin` is where the bundle's index does. Raises something if the bundle is not whole.
    """
    end = begin + 4 + int.from_bytes(content[begin : begin + 4], "little")
    parts, size = marshal.loads(content[begin + 4 : end])  # noqa: S302 - as trusted as a .pyc beside it
    if len(content) != end + size:
        raise ValueError("torn")
    sys.meta_path.insert(0, _Bundle(library, parts, content[end:]))


class _Bundle:
    """Finds modules, and loads them. Where a part is of several, all are taken in when the first is looked for."""

    def __init__(self, library: str, parts: "list[tuple[list[Module], int, int]]", code: memoryview) -> None:
        self._library = library
        self._parts = {module[0]: part for part in parts for module in part[0]}
        self._code = code

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
            codes = marshal.loads(self._code[start:end])  # noqa: S302
            specs = {module[0]: self._spec(module, code) for module, code in zip(modules, codes)}
            if len(specs) > 1:
                _take_in(specs)
        except Exception:
            return None
        return specs[name]

    def _spec(self, module: "Module", code: "Any") -> ModuleSpec:
        """Raises OSError or ValueError if the file is not what it was."""
        name, file, cached, folder, date, size = module
        path = self._library + file
        now = stat(path)
        if int(now.st_mtime) != date or now.st_size != size:  # what a .pyc is asked
            raise ValueError("changed")
        _imp._fix_co_filename(code, path)  # the folder may have been moved
        loader: Any = self
        spec = ModuleSpec(name, loader, origin=path, loader_state=code)
        spec.has_location = True
        spec.cached = self._library + cached
        if folder is not None:
            spec.submodule_search_locations = [self._library + folder]
        return spec

    def create_module(self, spec: ModuleSpec) -> "ModuleType | None":
        """What has been taken in; None for the usual."""
        return sys.modules.get(spec.name)

    def exec_module(self, module: "ModuleType") -> None:
        """Run it, unless that has been done."""
        _run(module)


def _take_in(specs: "dict[str, ModuleSpec]") -> None:
    """Make all modules, and then run each. Raises what they raise, and then none of them is there.

    To import each by itself would take longer. No other thread may import any of them meanwhile.
    """
    try:
        for name, spec in sorted(specs.items()):  # a package before what is in it
            sys.modules[name] = module = type(sys)(name)
            module.__spec__, module.__loader__, module.__package__ = spec, spec.loader, spec.parent
            module.__file__, module.__dict__["__cached__"] = spec.origin, spec.cached
            if spec.submodule_search_locations is not None:
                module.__path__ = spec.submodule_search_locations
            package, _, last = name.rpartition(".")
            if package:
                setattr(sys.modules[package], last, module)
        for name in specs:
            _run(sys.modules[name])
    except BaseException:
        for name in specs:
            sys.modules.pop(name, None)
        raise


def _run(module: "Any") -> None:
    spec = module.__spec__
    code, spec.loader_state = spec.loader_state, None
    if code:
        exec(code, module.__dict__)  # noqa: S102
