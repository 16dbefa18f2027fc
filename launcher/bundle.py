"""Compiles the launcher and what lies beside it, and puts what a run imports into one file (see __init__.py).

    PYTHON -I -S launcher/bundle.py

Run where the launcher is installed, by the Python that is to run it. Exits with 1 if something could not be compiled.
"""

import __future__

import ast
import compileall
import marshal
import os
import py_compile
import sys
from importlib import import_module
from importlib.util import MAGIC_NUMBER, cache_from_source
from types import CodeType, ModuleType

PACKAGE = os.path.dirname(os.path.abspath(__file__))
# What is imported where it is needed; what these import in turn comes along. tests/test_bundle.py compares.
RUN = (
    *("entry", "run", "config", "config_option", "home", "notice", "recording", "relay", "relay.second_terminal"),
    *("schedule", "spool", "sender", "payload", "observe", "command_line", "hashes", "host"),
    *("installation_id", "session", "plain_session", "shell_init"),
)


def main() -> None:
    library = os.path.dirname(PACKAGE)
    # By date: to read all of a file is slow.
    compiled = compileall.compile_dir(library, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    sys.path.insert(0, library)
    import launcher

    try:
        write(launcher.BUNDLE, bundle(modules_of_a_run()))
    except OSError as error:
        sys.exit(f"bundle: {error}")
    sys.exit(not compiled)


def modules_of_a_run() -> list[ModuleType]:
    """Those of ours, but for the package itself, which has to be there to read a bundle."""
    for name in RUN:
        import_module(f"launcher.{name}")
    names = sorted(name for name in sys.modules if name.startswith("launcher."))
    return [sys.modules[name] for name in names]


def bundle(modules: list[ModuleType]) -> bytes:
    """The magic number of this Python's bytecode, and where the code begins; where each module lies; and their code.

    Of the same files, Python 3.11 and newer make the same bytes.
    """
    index = {}
    code = b""
    for module in modules:
        path = module.__file__ or ""
        status = os.stat(path)
        compiled = marshal.dumps(code_of(path))
        folder = from_package(module.__path__[0]) if hasattr(module, "__path__") else None
        places = from_package(path), from_package(cache_from_source(path)), folder
        index[module.__name__] = (*places, int(status.st_mtime), status.st_size, len(code), len(code) + len(compiled))
        code += compiled
    head = marshal.dumps((index, len(code)))
    return MAGIC_NUMBER + (8 + len(head)).to_bytes(4, "little") + head + code


def from_package(path: str) -> str:
    """The rest of a path, from our package on: the whole may be moved."""
    return path[len(PACKAGE) :]


def code_of(path: str) -> CodeType:
    """The code of a module, without what a run does not need.

    That is the documentation (a tenth of all: 0.15 ms), and the import of __future__: its meaning is in how this is
    compiled, and the module would be looked for in Python's own folder (0.2 ms, where nothing else is 0.5).
    """
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    tree.body = [line for line in tree.body if not (isinstance(line, ast.ImportFrom) and line.module == "__future__")]
    flags = __future__.annotations.compiler_flag
    code: CodeType = compile(tree, path, "exec", flags=flags, dont_inherit=True, optimize=2)
    return code


def write(path: str, content: bytes) -> None:
    """For everybody on the machine; and at no moment half of it."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    new = f"{path}.{os.getpid()}"
    try:
        with open(new, "wb") as file:
            file.write(content)
        os.chmod(new, 0o644)
        os.replace(new, path)
    except BaseException:
        if os.path.exists(new):
            os.unlink(new)
        raise


if __name__ == "__main__":
    main()
