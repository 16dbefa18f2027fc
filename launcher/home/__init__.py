"""~/.chef-workstation: where things lie in it, small files, locks, and the sessions that wait there.

Imports no other room; what the files mean is the business of those above.
"""
