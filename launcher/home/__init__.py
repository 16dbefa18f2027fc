"""~/.chef-workstation: its layout, small files, locks, and the sessions that wait there.

Imports no other room, and does not know what the files mean.
"""
