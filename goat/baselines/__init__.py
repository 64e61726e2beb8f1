"""A first valid submission for every kind of challenge, runnable in seconds on any laptop.

One module per challenge kind, under the kind's name. Each is meant to be read, copied and beaten,
and offers ``baseline(inputs, output, *, progress=None)``, which ``goat baseline`` calls: it answers the
folder ``inputs`` in the folder ``output`` and returns the number of answers. Where a submission is one
file that answers any inputs, a model, the module says so by ``LEARNS = True``: it gets the inputs of the
sample split, finds their truth beside them, writes the file ``output`` and returns from how many it learnt.
"""
