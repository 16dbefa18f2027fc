"""`python -m launcher`, and `python -I -S <this file>`: the fast start, isolated from the user's Python settings."""

import sys

if not __package__:
    sys.dont_write_bytecode = True  # before the package can say so itself
    folder = __file__.removesuffix("/launcher/__main__.py")
    if folder in ("", __file__):  # named in some other way
        import os  # not at the top, see small_os.py

        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(0, folder)
    try:
        import marshal
        from _frozen_importlib_external import MAGIC_NUMBER

        # Where BUNDLE says, which is not there yet.
        with open(
            f"{folder}/launcher/__pycache__/run.{sys.implementation.cache_tag}.bundle", "rb", buffering=0
        ) as file:
            bundle = memoryview(file.read())
        if bundle[:4] == MAGIC_NUMBER:
            end = int.from_bytes(bundle[4:8], "little")
            code, *index = marshal.loads(bundle[8:end])  # noqa: S302 - as trusted as a .pyc beside it
            reader = {"__name__": "launcher.bundled"}
            exec(code, reader)  # noqa: S102
            reader["install"](folder, bundle[end:], *index)  # type: ignore[operator]
    except Exception:
        pass  # imported as ever

from launcher.entry import main

main()
