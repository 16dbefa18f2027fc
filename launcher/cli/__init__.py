"""The management commands, `chef-run-launcher COMMAND`: one file each, registered in `app`.

They show and change what the other rooms know. No other room imports them.
"""
