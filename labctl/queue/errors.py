"""The errors of the queue.

LabctlError (labctl_data)
├── QueueError              what the queue cannot do with a job
│   └── NoSuchJobError      a job that is not there
├── QueueFileError          a queue database that cannot be used; it is left as it is
└── QueueBusyError          a bench whose queue another process is working off
"""

from __future__ import annotations

from pathlib import Path

from labctl_data.errors import FileError, LabctlError


class QueueError(LabctlError, ValueError):
    """A job cannot be changed as asked."""


class NoSuchJobError(QueueError):
    """There is no job of that number.

    Attributes
    ----------
    job : int
        The number asked for.
    """

    def __init__(self, path: Path, job: int) -> None:
        self.job = job
        super().__init__(f"{path}: there is no job {job}")


class QueueFileError(FileError):
    """A queue database is damaged, of another make, or cannot be reached; it is left as it is.

    Attributes
    ----------
    path : Path
        The database.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"queue {path}: {problem}")


class QueueBusyError(LabctlError):
    """Another process, or another part of this one, works off the queue on this bench."""
