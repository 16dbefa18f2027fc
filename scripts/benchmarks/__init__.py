"""What the launcher costs: a file for each part of scripts/bench, and what the parts share.

speed, others, memory, relay, delivery    the parts
budget                                    what a run may cost at most
timing, peak, report                      measuring, and showing what was measured
workbench, starts, homes, black_hole      what is measured: the launcher, a chef-run, HOMEs, an endpoint
programs                                  C and Python programs that are run
"""
