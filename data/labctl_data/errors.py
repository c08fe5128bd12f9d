"""The errors of the data floor.

LabctlError                     what labctl says when asked for what cannot be
├── CellsError                  a set of cells that cannot be read or is not on the chip
├── ModelError                  a device model or a parameter that is not physical
├── TomlFileError               a TOML file, and the table that is wrong in it
├── FileError                   a file that cannot be read or written as asked
│   ├── RunFileError            a run file
│   │   └── NotARunFileError    a file that is something else
│   ├── ChipFileError           a chip file
│   │   └── NotAChipFileError   a file that is something else
│   ├── TableError              a measured table, or the mapping that describes it
│   ├── LedgerError             a pulse ledger
│   └── CatalogueError          the catalogue of a folder
├── MissingExtraError           a package of an extra that is not installed
└── FitError                    data that cannot be fitted
"""

from __future__ import annotations

from pathlib import Path


class LabctlError(Exception):
    """Base of every error that labctl raises on purpose; its text is one line for a person."""


class CellsError(LabctlError, ValueError):
    """A set of cells cannot be read, or lies outside the chip."""


class ModelError(LabctlError, ValueError):
    """A device model is unknown, or a parameter of it is not physical."""


class TomlFileError(LabctlError, ValueError):
    """A TOML file that people write cannot be read, or contradicts itself.

    Attributes
    ----------
    path : Path
        The file.
    table : str
        The table that is wrong, without brackets; empty for the file as a whole.
    """

    def __init__(self, path: Path, table: str, problem: str) -> None:
        self.path = path
        self.table = table
        place = f"{path.name} [{table}]" if table else path.name
        super().__init__(f"{place}: {problem}")


class FileError(LabctlError):
    """A file cannot be read or written as asked."""


class RunFileError(FileError):
    """A run file is not one, is damaged, or already exists."""


class NotARunFileError(RunFileError):
    """An HDF5 file was meant to be a run file and is something else."""


class ChipFileError(FileError):
    """A chip file is not one, is of another schema, or already exists."""


class NotAChipFileError(ChipFileError):
    """An HDF5 file was meant to be a chip file and is something else."""


class TableError(FileError):
    """A measured table, or the mapping that describes it, is not as it should be."""


class LedgerError(FileError):
    """A pulse ledger cannot be written or read."""


class CatalogueError(FileError):
    """The catalogue of a folder cannot be read or written; its run files are not concerned."""


class MissingExtraError(LabctlError, ImportError):
    """What was asked for needs a package that comes with an extra of labctl."""


class FitError(LabctlError):
    """The data given cannot be fitted."""
