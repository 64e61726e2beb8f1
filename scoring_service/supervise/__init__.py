"""``goat-server up``: one command that runs everything and leaves nothing behind.

The processes are looked after by supervisord (package ``supervisor``); this package only writes its
configuration and watches over it:

- `config`: which programs run, as supervisord reads it, and the queue server's own configuration
- `child`: the small launcher in front of each program: it ties the program's life to its parent's
- `lock`: one ``up`` per GOAT_HOME, with crashed predecessors recognised
- `control`: supervisord as an object: start, look, restart, stop
- `first_start`: migrations at every start; organiser, demo team and sample event at the first
- `logs`: warnings of all programs on the terminal, everything in ``GOAT_HOME/log``
- `up`: the story that joins them
"""
