"""Whether a run may be recorded, and what says so: the facts, the one decision, the notice, the switch.

Knows configuration files and environment variables; nothing of chef-run's output, of records, or of the network.
"""
