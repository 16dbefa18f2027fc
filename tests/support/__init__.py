"""What the tests share: homes, servers, the launcher as a process, recordings of the real chef-run."""
