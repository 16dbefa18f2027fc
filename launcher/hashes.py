"""SHA-256 and SHA-1 as Python has them built in.

hashlib would load OpenSSL for them: 2.4 ms of a run, and 3 MiB.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha1 as sha1
    from hashlib import sha256 as sha256
else:
    try:
        from _sha1 import sha1

        from _sha2 import sha256  # Python 3.12 and newer
    except ImportError:
        try:
            from _sha1 import sha1
            from _sha256 import sha256
        except ImportError:  # a Python that was built without them
            from hashlib import sha1, sha256

__all__ = ["sha1", "sha256"]
