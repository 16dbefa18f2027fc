"""Running a program so that nobody can tell that it is watched: what the caller gave, and what becomes of it.

Imports no other room, and does not know which program it is: that, its environment and its observer are handed over.
"""
