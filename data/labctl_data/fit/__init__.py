"""Fit a device model to run files; what the data cannot tell is carried, and said to be."""

from labctl_data.fit.fitting import fit
from labctl_data.fit.result import FitResult

__all__ = ["FitResult", "fit"]
