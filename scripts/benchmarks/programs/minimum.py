"""The minimum that any launcher in Python costs: two forks, a copy of the output, and the same end.

minimum.py PROGRAM [ARGUMENT...]
"""

import posix
import sys

reading, writing = posix.pipe()
child = posix.fork()
if not child:
    posix.dup2(writing, 1)
    posix.execve(sys.argv[1], sys.argv[1:], posix.environ)
relay = posix.fork()
if not relay:
    posix.close(writing)
    while data := posix.read(reading, 1 << 16):
        posix.write(1, data)
    posix._exit(0)
for descriptor in (0, 1, 2, reading, writing):
    posix.close(descriptor)
_, status = posix.waitpid(child, 0)
posix.waitpid(relay, 0)
posix._exit(posix.WEXITSTATUS(status))
