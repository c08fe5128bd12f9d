"""The errors of the roof.

LabctlError (labctl_data)
├── ConfigurationError          the user's configuration file cannot be used
├── ReportError                 a report cannot be drawn from what was given
├── ReproduceError              no published system of that name, or not with what was given
├── NotResumableError           a run that cannot go on with the bench there is
├── OutputExistsError           a file that would be written is there already
└── FailedError                 the thing was begun and did not succeed
"""

from __future__ import annotations

from labctl_data.errors import LabctlError


class ConfigurationError(LabctlError, ValueError):
    """The user's configuration file cannot be read, or says what cannot be."""


class ReportError(LabctlError, ValueError):
    """A report cannot be drawn from the files given."""


class ReproduceError(LabctlError, ValueError):
    """A published system cannot be done again as asked."""


class NotResumableError(LabctlError, ValueError):
    """A run cannot go on: its chip is gone, or the bench is another one."""


class OutputExistsError(LabctlError, FileExistsError):
    """A file that would be written is there already; labctl never overwrites."""


class FailedError(LabctlError):
    """The thing asked for was begun and did not succeed.

    Parameters
    ----------
    message : str
        What failed, where.
    said : bool
        Whether the verb has printed its facts already, so that nothing more goes to stdout.
    """

    def __init__(self, message: str, *, said: bool = False) -> None:
        super().__init__(message)
        self.said = said
