"""What chef-run itself tells: its command line, its output, the files that it leaves. Pure.

Text and bytes in; hashes, transports and platform names from closed vocabularies out.
"""
