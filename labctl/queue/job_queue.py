"""The durable queue: an ordered list of jobs that several processes share."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labctl.queue.database import Database
from labctl.queue.errors import NoSuchJobError, QueueError
from labctl.queue.job import Job, JobRequest, JobState
from labctl.queue.runner_lock import is_alive

_REQUEST = tuple(f.name for f in fields(JobRequest))
_HELD = "held"


def default_queue_path() -> Path:
    """Return where the user's queue is: in the data folder of the configuration."""
    from labctl.configuration import load_configuration

    return load_configuration().data_folder / "queue.sqlite"


class JobQueue:
    """An ordered list of jobs in a SQLite file, for any number of processes and threads.

    What a method returned stays, whatever happens to the process afterwards.

    Parameters
    ----------
    path : path, optional
        The database; made where it is not there. By default the user's.

    Raises
    ------
    QueueFileError
        Here and from every method: if the file is damaged or cannot be reached. It is kept.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self.path = Path(path) if path is not None else default_queue_path()
        self._database = Database(self.path)

    def add(self, request: JobRequest, *, before: int | None = None) -> Job:
        """Put a job at the end, or before the job of number `before`."""
        return self.add_all([request], before=before)[0]

    def add_all(self, requests: Iterable[JobRequest], *, before: int | None = None) -> list[Job]:
        """Put several jobs, in order, at the end or before the job of number `before`."""
        with self._database.writing() as connection:
            numbers = [self._insert(connection, request) for request in requests]
            if before is not None:
                self._reorder(connection, numbers, before)
            return [self._job(connection, number) for number in numbers]

    def jobs(self) -> list[Job]:
        """Return all jobs in order; `running` is said only of those whose process is alive."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM jobs ORDER BY position, id").fetchall()
        return [self._of_row(row, place) for place, row in enumerate(rows, start=1)]

    def job(self, number: int) -> Job:
        """Return one job.

        Raises
        ------
        NoSuchJobError
            If there is none of that number.
        """
        with self._database.reading() as connection:
            return self._job(connection, number)

    def edit(self, number: int, request: JobRequest) -> Job:
        """Ask for something else in a job that waits."""

        def change(connection: sqlite3.Connection) -> None:
            columns = ", ".join(f"{name} = :{name}" for name in _REQUEST)
            connection.execute(
                f"UPDATE jobs SET {columns} WHERE id = :id",
                {**_row_of(request), "id": number},
            )

        return self._change(number, change, only=(JobState.WAITING,))

    def move(self, number: int, *, before: int | None) -> Job:
        """Put a job before the job of number `before`; at the end if None."""
        return self._change(number, lambda db: self._reorder(db, [number], before))

    def remove(self, number: int) -> None:
        """Take a job off the list; its run file stays."""
        with self._database.writing() as connection:
            self._refuse(self._job(connection, number), not_in=(JobState.RUNNING,))
            connection.execute("DELETE FROM jobs WHERE id = ?", (number,))

    def skip(self, number: int) -> Job:
        """Leave a job out; one that runs ends at its next pulse boundary."""

        def change(connection: sqlite3.Connection) -> None:
            job = self._job(connection, number)
            if job.state is JobState.RUNNING:
                connection.execute("UPDATE jobs SET asked = 'skip' WHERE id = ?", (number,))
            else:
                self._set(connection, number, state=JobState.SKIPPED, error="skipped")

        return self._change(number, change, only=(JobState.WAITING, JobState.RUNNING))

    def repeat(self, number: int, *, before: int | None = None) -> Job:
        """Put the same once more at the end, or before the job of number `before`.

        The copy starts as soon as may be, into a file with a dated name.
        """
        request = replace(self.job(number).request, output=None, start_at=None)
        return self.add(request, before=before)

    def resume(self, number: int) -> Job:
        """Let a job that was interrupted or failed wait again; it goes on with its run file."""

        def change(connection: sqlite3.Connection) -> None:
            self._set(connection, number, state=JobState.WAITING, error="", runner="", asked="")

        return self._change(number, change, only=(JobState.INTERRUPTED, JobState.FAILED))

    def ask(self, name: str, value: str) -> None:
        """Leave a word for whoever works off the queue."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def asked(self, name: str) -> str:
        """Return the word that was left under a name; empty where there is none."""
        with self._database.reading() as connection:
            return _setting(connection, name)

    def hold(self) -> None:
        """Start no job from now on; what runs goes on."""
        self.ask(_HELD, "1")

    def release(self) -> None:
        """Start jobs again."""
        self.ask(_HELD, "")

    @property
    def is_held(self) -> bool:
        """Whether no job is started."""
        with self._database.reading() as connection:
            return bool(_setting(connection, _HELD))

    def take(self, number: int, runner: str) -> Job | None:
        """Make a waiting job the runner's own, if nobody was faster and the queue is not held."""
        with self._database.writing() as connection:
            job = self._job(connection, number)
            if job.state is not JobState.WAITING or _setting(connection, _HELD):
                return None
            self._set(
                connection,
                number,
                state=JobState.RUNNING,
                runner=runner,
                started=_now(),
                ended=None,
                error="",
                asked="",
            )
            return self._job(connection, number)

    def note_run_file(self, number: int, path: Path) -> None:
        """Write down which file a job is about to write."""
        with self._database.writing() as connection:
            self._set(connection, number, run_file=str(path.absolute()))

    def write_down_the_dead(self) -> None:
        """Make `interrupted` of what was running when its process died."""
        with self._database.writing() as connection:
            rows = connection.execute("SELECT * FROM jobs WHERE state = 'running'").fetchall()
            for job in (self._of_row(row, 0) for row in rows):
                if job.state is JobState.INTERRUPTED:
                    self._set(connection, job.id, state=job.state, error=job.error, runner="")

    def end(self, number: int, state: JobState, error: str = "") -> Job:
        """Write down how a job ended that this process has run."""

        def change(connection: sqlite3.Connection) -> None:
            self._set(connection, number, state=state, error=error, ended=_now(), runner="")
            file = self._job(connection, number).run_file
            if file is not None and not file.exists():  # refused before anything was written
                self._set(connection, number, run_file=None)

        return self._change(number, change)

    def postpone(self, number: int, until: datetime) -> Job:
        """Let a job that this process has run wait again, to be gone on with at a later time."""

        def change(connection: sqlite3.Connection) -> None:
            later = until.isoformat()
            self._set(connection, number, state=JobState.WAITING, start_at=later, runner="")

        return self._change(number, change)

    def leave_out(self, number: int, why: str) -> Job:
        """Skip a job that waits, for a reason."""

        def change(connection: sqlite3.Connection) -> None:
            self._set(connection, number, state=JobState.SKIPPED, error=why, ended=_now())

        return self._change(number, change, only=(JobState.WAITING,))

    def is_told_to_skip(self, number: int) -> bool:
        """Return whether somebody wants a running job to end."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT asked FROM jobs WHERE id = ?", (number,)).fetchone()
        return row is not None and row["asked"] == "skip"

    def _change(
        self,
        number: int,
        change: Callable[[sqlite3.Connection], None],
        *,
        only: Sequence[JobState] = tuple(JobState),
    ) -> Job:
        with self._database.writing() as connection:
            job = self._job(connection, number)
            self._refuse(job, not_in=tuple(state for state in JobState if state not in only))
            change(connection)
            return self._job(connection, number)

    def _refuse(self, job: Job, *, not_in: Sequence[JobState]) -> None:
        if job.state in not_in:
            raise QueueError(f"{self.path}: job {job.id} is {job.state}; that cannot be done to it")

    def _insert(self, connection: sqlite3.Connection, request: JobRequest) -> int:
        row = {**_row_of(request), "state": JobState.WAITING.value}
        names = ", ".join(row)
        slots = ", ".join(f":{name}" for name in row)
        last = "(SELECT coalesce(max(position), 0) + 1 FROM jobs)"
        done = connection.execute(
            f"INSERT INTO jobs (position, {names}) VALUES ({last}, {slots})",
            row,
        )
        return int(done.lastrowid or 0)

    def _reorder(
        self, connection: sqlite3.Connection, numbers: Sequence[int], before: int | None
    ) -> None:
        order = [row["id"] for row in connection.execute("SELECT id FROM jobs ORDER BY position")]
        if before is not None and before not in order:
            raise NoSuchJobError(self.path, before)
        if before in numbers:
            return
        rest = [number for number in order if number not in set(numbers)]
        at = len(rest) if before is None else rest.index(before)
        placed = [*rest[:at], *numbers, *rest[at:]]
        connection.executemany("UPDATE jobs SET position = ? WHERE id = ?", enumerate(placed, 1))

    def _set(self, connection: sqlite3.Connection, number: int, **values: object) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        row = {name: str(v) if isinstance(v, JobState) else v for name, v in values.items()}
        connection.execute(
            f"UPDATE jobs SET {columns} WHERE id = :id",
            {**row, "id": number},
        )

    def _job(self, connection: sqlite3.Connection, number: int) -> Job:
        row = connection.execute("SELECT * FROM jobs WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise NoSuchJobError(self.path, number)
        ahead = connection.execute(
            "SELECT count(*) FROM jobs WHERE position < ?", (row["position"],)
        ).fetchone()[0]
        return self._of_row(row, ahead + 1)

    def _of_row(self, row: sqlite3.Row, place: int) -> Job:
        state, error = JobState(row["state"]), row["error"]
        if state is JobState.RUNNING and not is_alive(self.path, row["runner"]):
            state, error = JobState.INTERRUPTED, "the process that ran it is gone"
        return Job(
            id=row["id"],
            position=place,
            state=state,
            error=error,
            run_file=_path(row["run_file"]),
            started=_time(row["started"]),
            ended=_time(row["ended"]),
            procedure=row["procedure"],
            bench=row["bench"],
            parameters=json.loads(row["parameters"]),
            output=_path(row["output"]),
            start_at=_time(row["start_at"]),
            seed=row["seed"],
            chip=_path(row["chip"]),
            note=row["note"],
            owner=row["owner"],
        )


def _setting(connection: sqlite3.Connection, name: str) -> str:
    row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    return "" if row is None else str(row["value"])


def _row_of(request: JobRequest) -> dict[str, Any]:
    if request.start_at is not None and request.start_at.tzinfo is None:
        raise QueueError(f"start at {request.start_at}: a time without its time zone")
    return {
        **{name: getattr(request, name) for name in ("procedure", "seed", "note", "owner")},
        "bench": _absolute(request.bench) if request.bench.endswith(".toml") else request.bench,
        "parameters": json.dumps(dict(request.parameters)),
        "output": _absolute(request.output),
        "start_at": None if request.start_at is None else request.start_at.isoformat(),
        "chip": _absolute(request.chip),
    }


def _absolute(path: Path | str | None) -> str | None:
    """Return a path as it is for a process in another folder."""
    return None if path is None else str(Path(path).absolute())


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _now() -> str:
    return datetime.now(UTC).isoformat()
