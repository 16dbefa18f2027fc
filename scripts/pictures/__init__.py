"""The pictures of the documents, and what draws them for scripts/make-pictures.

scenes      what the launcher prints, as a picture of a terminal each
terminal    a program's output on a terminal, and an SVG of it
chart       what a run adds beside other programs, from the figures in cost.json
a-run.svg   the life of a run, drawn by hand
"""
