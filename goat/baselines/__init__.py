"""A first valid submission for every kind of challenge, runnable in seconds on any laptop.

One module per challenge kind, under the kind's name. Each is meant to be read, copied and beaten,
and offers ``baseline(inputs, output, *, progress=None)``, which ``goat baseline`` calls: it answers the
folder ``inputs`` in the folder ``output`` and returns the number of answers.
"""
