"""Run the command line as ``python -m labctl``."""

from labctl.cli import main

main()
