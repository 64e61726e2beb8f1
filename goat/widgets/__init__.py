"""Widgets for notebooks: ``goat.panel()``, ``goat.board()`` and the live ``goat.history()``.

Traits are the state, so a reloaded page finds them as they were. They need the kernel only: no
browser of a participant ever talks to the service.
"""
