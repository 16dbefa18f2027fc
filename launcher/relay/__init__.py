"""Running the real program so that nobody can tell that it is watched: what the caller gave, and what becomes of it.

Imports no other room, and knows nothing of Chef.
"""
