"""``python -m scoring_service`` is ``goat-server``."""

from scoring_service.cli import main

main()
