"""Sending what waits: where to, as which bytes, when, and what an answer means.

`encode` alone makes the bytes; the detached sender and the command `flush` both send by `attempt`.
"""
