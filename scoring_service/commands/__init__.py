"""One module per subcommand of ``goat-server``.

The module's name is the subcommand's name, its constant ``command`` the click command, the first
line of its docstring the line in ``goat-server --help``. Adding a module adds a subcommand.
"""
