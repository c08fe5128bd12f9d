"""The name `@labctl` for PyVISA, which looks for a module `pyvisa_labctl`; nothing else."""

from labctl_instruments.virtual.backend import LabctlLibrary

WRAPPER_CLASS = LabctlLibrary
