"""The record of one run, a session: what goes into it, its schema, and how a run gathers and keeps it.

One place makes records, `session.build`; nothing else may.
"""
