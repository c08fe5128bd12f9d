"""The queue's SQLite file: its schema, its transactions, and what is said where it is broken."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from labctl.queue.errors import QueueFileError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x6C626371
"""`lbcq`: what tells our databases from other people's."""
_PATIENCE = 30.0
"""How long to wait for another process's transaction, in s."""

_TABLES = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    position INTEGER NOT NULL,
    state TEXT NOT NULL,
    procedure TEXT NOT NULL,
    bench TEXT NOT NULL,
    parameters TEXT NOT NULL,
    output TEXT,
    start_at TEXT,
    seed INTEGER,
    chip TEXT,
    note TEXT NOT NULL,
    owner TEXT NOT NULL,
    run_file TEXT,
    error TEXT NOT NULL DEFAULT '',
    started TEXT,
    ended TEXT,
    runner TEXT NOT NULL DEFAULT '',
    asked TEXT NOT NULL DEFAULT ''
);
CREATE INDEX by_position ON jobs (position);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Database:
    """One SQLite file in WAL mode; each transaction has its own connection.

    A connection a transaction makes it safe to use from any thread, and after a fork.

    Parameters
    ----------
    path : Path
        The file; created with its folder where it is not there.

    Raises
    ------
    QueueFileError
        If it is damaged, of another make, or cannot be reached.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QueueFileError(path, f"its folder cannot be made: {error}") from error
        with self._spoken(), closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            self._make_or_check(connection)
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one state of the queue."""
        with self._spoken(), closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose changes are made all, and for good, or not at all."""
        with self._spoken(), closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection  # closed without COMMIT, a transaction never was
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _make_or_check(self, connection: sqlite3.Connection) -> None:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            return
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise QueueFileError(self.path, "is a database of another make; it is left as it is")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found != SCHEMA_VERSION:
            problem = f"has schema {found}, this labctl knows {SCHEMA_VERSION}"
            raise QueueFileError(self.path, f"{problem}; it is left as it is")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise QueueFileError(self.path, f"{_DAMAGED} ({verdict})")

    @contextmanager
    def _spoken(self) -> Iterator[None]:
        """Say what SQLite says in one line that names the file."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise QueueFileError(self.path, f"cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise QueueFileError(self.path, f"{_DAMAGED} ({error})") from error


_DAMAGED = "is damaged and is left as it is; move it away to begin a new queue"
