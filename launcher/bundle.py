"""Compiles the launcher and what lies beside it, and puts what a run imports into one file: see bundled.py.

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
from typing import Optional

PACKAGE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.dirname(PACKAGE)
# What chef-run waits for. Each part is taken in at once, when the first of it is imported; in it, each comes after what
# it imports: what there always is ("" is the package), what every run has, and what one has that is recorded.
TOGETHER = (
    ("", "small_os", "entry"),
    ("handover", "decision", "real", "situation", "run"),
    (
        *("files", "home", "toml", "config", "notice", "recording", "relay.ended", "relay.descriptors"),
        *("relay.follower", "relay.routes", "relay.relay_process", "relay.posix", "relay"),
    ),
)
# What is imported by itself, where it is needed; what these import in turn comes along. tests/test_bundle.py compares.
ALONE = (
    *("relay.second_terminal", "schedule", "spool", "sender", "payload", "observe", "command_line"),
    *("config_option", "hashes", "host", "installation_id", "session", "plain_session", "shell_init"),
)


def main() -> None:
    # By date: to read all of a file is slow.
    compiled = compileall.compile_dir(LIBRARY, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    sys.path.insert(0, LIBRARY)
    import launcher

    try:
        write(launcher.BUNDLE, bundle(parts_of_a_run()))
    except OSError as error:
        sys.exit(f"bundle: {error}")
    sys.exit(not compiled)


def parts_of_a_run() -> list[list[ModuleType]]:
    """The modules of ours, those that are taken in together, and each of the others."""
    together = [[ours(name) for name in names] for names in TOGETHER]
    for name in ALONE:
        ours(name)
    placed = [module for part in together for module in part]
    alone = [sys.modules[name] for name in sorted(sys.modules) if name.startswith("launcher.")]
    return together + [[module] for module in alone if module not in placed]


def ours(name: str) -> ModuleType:
    """A module by its name in our package."""
    return import_module(f"launcher.{name}".rstrip("."))


def bundle(parts: list[list[ModuleType]]) -> bytes:
    """The magic number of this Python's bytecode, and where the parts' code begins; the head; and that code.

    The head is the code that reads all this, the file of that, what lies where, and how long the parts' code is. Of the
    same files, Python 3.11 and newer make the same bytes.
    """
    reader = os.path.join(PACKAGE, "bundled.py")
    index = []
    code = b""
    for modules in parts:
        compiled = marshal.dumps([code_of(module.__file__ or "") for module in modules])
        index.append(([described(module) for module in modules], len(code), len(code) + len(compiled)))
        code += compiled
    head = marshal.dumps((code_of(reader), dated(reader), index, len(code)))
    return MAGIC_NUMBER + (8 + len(head)).to_bytes(4, "little") + head + code


def described(module: ModuleType) -> tuple[str, tuple[str, int, int], str, Optional[str]]:
    """What the reader has to know of a module: its name, file, compiled file, and folder if it is a package."""
    path = module.__file__ or ""
    folder = from_library(module.__path__[0]) if hasattr(module, "__path__") else None
    return module.__name__, dated(path), from_library(cache_from_source(path)), folder


def dated(path: str) -> tuple[str, int, int]:
    """A file, and what tells whether it has been changed since: its date and size, as in a .pyc."""
    status = os.stat(path)
    return from_library(path), int(status.st_mtime), status.st_size


def from_library(path: str) -> str:
    """The rest of a path, from the folder of our package on: the whole may be moved."""
    return path[len(LIBRARY) :]


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
