"""Sending what waits: where to, as which bytes, when, and what an answer means.

One place makes bytes, `encode`; the detached sender and `flush` both deliver by `attempt`.
"""
