"""These tests look at processes through /proc, and at terminals as Linux has them."""

import sys

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]
