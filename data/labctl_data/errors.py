"""The errors of the data floor.

LabctlError                     what labctl says when asked for what cannot be
├── CellsError                  a set of cells that cannot be read or is not on the chip
├── ModelError                  a device model or a parameter that is not physical
├── FileError                   a file that cannot be read or written as asked
│   ├── RunFileError            a run file
│   ├── ChipFileError           a chip file
│   └── LedgerError             a pulse ledger
└── FitError                    data that cannot be fitted
"""

from __future__ import annotations


class LabctlError(Exception):
    """Base of every error that labctl raises on purpose; its text is one line for a person."""


class CellsError(LabctlError, ValueError):
    """A set of cells cannot be read, or lies outside the chip."""


class ModelError(LabctlError, ValueError):
    """A device model is unknown, or a parameter of it is not physical."""


class FileError(LabctlError):
    """A file cannot be read or written as asked."""


class RunFileError(FileError):
    """A run file is not one, is damaged, or already exists."""


class ChipFileError(FileError):
    """A chip file is not one, is of another schema, or already exists."""


class LedgerError(FileError):
    """A pulse ledger cannot be written or read."""


class FitError(LabctlError):
    """The data given cannot be fitted."""
