"""Measured tables of other programs become run files, by a small mapping that a person writes."""

from labctl_data.importing.mapping import MEASUREMENTS, TableMapping, load_mapping
from labctl_data.importing.storing import PROCEDURE, ImportReport, import_table

__all__ = [
    "MEASUREMENTS",
    "PROCEDURE",
    "ImportReport",
    "TableMapping",
    "import_table",
    "load_mapping",
]
