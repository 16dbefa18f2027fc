"""Prints how many KiB a program had resident at its peak, or one that it has waited for: peak.py PROGRAM [ARGUMENT...]

Small itself: until its exec, a process counts the memory of the one that made it.
"""

import os
import sys

process = os.fork()
if not process:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(process, 0)
print(usage.ru_maxrss)
sys.exit(status != 0)
