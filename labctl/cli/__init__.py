"""The command line: verbs, their output and their errors."""

from __future__ import annotations

from labctl.cli.root import main

__all__ = ["main"]
