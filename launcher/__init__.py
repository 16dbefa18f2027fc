"""The launcher in front of chef-run."""

__version__ = "0.1.0"
