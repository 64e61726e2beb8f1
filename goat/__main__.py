"""``python -m goat``, for machines where the ``goat`` command is not on the path."""

from goat.cli import main

if __name__ == "__main__":
    main()
