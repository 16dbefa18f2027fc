"""What the launcher and the relay process say to each other.

Orders are a byte each: ASK, DRAIN, STOPS and GOES_ON at any time, in the end CHILD_ENDED. Back come the numbers of
signals as they arrive; ANSWERED after each ASK and DRAIN; after CHILD_ENDED, when all is drained, STAYS or LEAVES, and
then the observer's report, to the end.
"""

from __future__ import annotations

import os

ASK = b"?"
DRAIN = b"!"
STOPS, GOES_ON = b"z", b"a"  # which have no answer
CHILD_ENDED = b"."
# The last two are above every signal's number.
ANSWERED = b"\0"
STAYS, LEAVES = b"\xfe", b"\xff"


def tell(listener: int, words: bytes) -> None:
    """Write to a process of ours that somebody may have killed, which is seen where we read."""
    try:
        os.write(listener, words)
    except OSError:
        pass
