"""The catalogue: what a folder of run files holds, found quickly; the files stay the truth."""

from labctl_data.catalogue.catalogue import Catalogue
from labctl_data.catalogue.entry import Entry

__all__ = ["Catalogue", "Entry"]
