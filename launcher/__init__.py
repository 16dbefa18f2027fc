"""The launcher in front of chef-run."""

__version__ = "0.1.0"

import sys

# A run writes nothing but its record: no bytecode either. Installations compile theirs.
sys.dont_write_bytecode = True
