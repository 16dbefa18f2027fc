"""Attacks on the launcher by chance, and one checker of what must hold whatever happens: `make campaign`.

world         where an attack takes place: a HOME, a chef-run, a server, and what lies around them
attacks       what is done to it, one function each
invariants    what must hold afterwards
exchanger     the other user, who exchanges files
child         a hostile chef-run

An attack is a pure function of its seed, but for the moments at which processes get a processor.
"""
