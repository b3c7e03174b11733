"""``python -m lauedepth``: the command line."""

from lauedepth.cli.app import main

main()
