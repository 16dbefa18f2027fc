"""The management commands, `chef-run-launcher COMMAND`: one file each, put together in `app`.

They show and change what the other rooms know; none of the other rooms knows them.
"""
