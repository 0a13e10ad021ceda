"""``python -m seg5b``."""

from seg5b.cli import main

main()
