"""A chip's statistics for other simulators: each exporter writes one Python module.

Other packages add exporters by entry point, in the group ``labctl.exporters``: a function that
takes a `SoftBoundModel` and returns text.
"""

from labctl_data.exporting.exporters import exporter, exporter_names

__all__ = ["exporter", "exporter_names"]
