"""A process of ours beside the run, for work that takes memory: that goes when it ends, and nobody waits for it.

The launcher would hold 5 MiB more until its own end, and end 0.3 ms later: the budget of scripts/bench needs this.
"""

from __future__ import annotations

import os

from launcher.quiet import note, quietly
from launcher.relay.descriptors import close, open_descriptors, pipe, poller, write_all
from launcher.relay.handover import forget_arguments, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import NoReturn
else:
    import _signal  # `signal` itself takes 3.5 ms

_DEFECT = 255  # its exit code, if the work raises anything but an OSError
# How often it is told to go on while it works.
_STOPPED_MILLISECONDS = 100


def start(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """Begin to work in a process that blocks the signals which this one blocks.

    Returns what waits for the result, to be called once. It raises the OSError that the work has raised, and
    RuntimeError if that has failed otherwise, or somebody has killed the process. Where there can be none, it does
    the work itself.
    """
    try:
        result, ours = pipe()
    except OSError:
        return work
    try:
        process = os.fork()
    except OSError:
        close([result, ours])
        return work
    if process == 0:
        _be_the_helper(work, ours)
    os.close(ours)
    return lambda: _result(process, result)


def _be_the_helper(work: Callable[[], bytes], result: int) -> NoReturn:
    code = _DEFECT
    try:
        # The relay process must see the launcher's end.
        close([number for number in open_descriptors() if number > 2 and number != result])
        quietly(forget_arguments)
        write_all(result, memoryview(work()))
        code = 0
    except OSError as error:
        note(error)
        code = error.errno or _DEFECT
    except BaseException as error:
        note(error)
    finally:
        os._exit(code)


def _result(process: int, result: int) -> bytes:
    content = b""
    try:
        while piece := _next_piece(process, result):
            content += piece
    finally:
        os.close(result)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code < 0 or code == _DEFECT:
        raise RuntimeError
    if code:
        raise OSError(code, os.strerror(code))
    return content


def _next_piece(process: int, result: int) -> bytes:
    """Wait for more of the result; empty at its end. Somebody may stop the group, and continue this process alone."""
    readable = poller(result)
    while not readable.poll(_STOPPED_MILLISECONDS):
        send(process, _signal.SIGCONT)
    return os.read(result, 1 << 16)
