"""Whether a run may be recorded, and why: the configuration, the decision, the notice, the switch.

Knows configuration files and environment variables; nothing of chef-run's output, of records, or of the network.
"""
