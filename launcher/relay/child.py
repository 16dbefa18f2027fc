"""The real program as a child: started, waited for, drained. What is here is the same on every system.

A Child has `stderr`, `wait()`, `drain()` and `exit_the_same_way()`; posix.py says what each of them does.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from launcher.relay.windows import Child, start
else:
    from launcher.relay.posix import Child, start

__all__ = ["Child", "start"]
