"""The launcher in front of chef-run."""

import sys

__version__ = "0.1.0"

# A run writes nothing but its record: no bytecode either. Installations compile theirs.
sys.dont_write_bytecode = True

BUNDLE = f"{__path__[0]}/__pycache__/run.{sys.implementation.cache_tag}.bundle"  # see bundle.py
