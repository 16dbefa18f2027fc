"""The launcher in front of chef-run."""

import os
import sys

__version__ = "0.1.0"

PACKAGE = os.path.dirname(os.path.abspath(__file__))  # the directory in which all of this lies

# A run writes nothing but its record: no bytecode either. Installations compile theirs.
sys.dont_write_bytecode = True
