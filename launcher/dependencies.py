"""The packages that we need, where the interpreter was started without its site-packages (-S)."""

from __future__ import annotations


def make_importable(*names: str) -> None:
    """Make these packages importable.

    Nearly always they lie beside this package, whose folder is on the path already. Where pip found one installed
    elsewhere, the interpreter's own start-up (site), which -S left out to save its time, knows the place.
    """
    try:
        for name in names:
            __import__(name)
    except ImportError:
        import site

        site.main()
