"""A catalogue over a folder of run files, in SQLite beside them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path

from labctl_data.catalogue.entry import RUNNING, Entry, read_entry
from labctl_data.errors import CatalogueError

FILE_NAME = "catalogue.sqlite"
BUSY_SECONDS = 10.0
"""How long a writer waits for another, in s."""

_TOLD = tuple(f.name for f in fields(Entry) if f.name not in ("file", "tags", "note"))
_TABLES = f"""
CREATE TABLE IF NOT EXISTS runs (
    file TEXT PRIMARY KEY, changed INTEGER NOT NULL, size INTEGER NOT NULL,
    is_run INTEGER NOT NULL, {", ".join(f"{name} NOT NULL DEFAULT ''" for name in _TOLD)}
);
CREATE TABLE IF NOT EXISTS tags (file TEXT, tag TEXT, PRIMARY KEY (file, tag));
CREATE TABLE IF NOT EXISTS notes (file TEXT PRIMARY KEY, text TEXT NOT NULL);
"""


class Catalogue:
    """What the run files of a folder and its subfolders hold.

    Each method opens the database anew: any number of threads and processes may use it. Whatever
    it knows of a file is read from the file again when that has changed; only tags and notes, which
    people write, live here alone.

    Parameters
    ----------
    folder : Path
        The folder; it must exist.
    path : Path, optional
        The database; by default `catalogue.sqlite` in the folder.
    """

    def __init__(self, folder: Path, path: Path | None = None) -> None:
        self.folder = folder
        self.path = path if path is not None else folder / FILE_NAME

    def refresh(self) -> int:
        """Look at the files that are new or changed; return how many there were.

        Raises
        ------
        CatalogueError
            If the database cannot be written.
        """
        found = {self._name(file): file for file in self.folder.rglob("*.h5") if file.is_file()}
        with self._database() as database:
            known = {
                row["file"]: (row["changed"], row["size"], row["status"])
                for row in database.execute("SELECT file, changed, size, status FROM runs")
            }
            gone = [(name,) for name in known.keys() - found.keys()]
            database.executemany("DELETE FROM runs WHERE file = ?", gone)
            fresh = [name for name, file in found.items() if _is_new(file, known.get(name))]
            for name in fresh:
                self._store(database, name, found[name])
        return len(fresh)

    def entries(self) -> tuple[Entry, ...]:
        """Return all runs as they were at the last refresh, newest first."""
        with self._database() as database:
            rows = database.execute(
                "SELECT * FROM runs WHERE is_run ORDER BY started DESC, file"
            ).fetchall()
            tags: dict[str, list[str]] = {}
            for row in database.execute("SELECT file, tag FROM tags ORDER BY tag"):
                tags.setdefault(row["file"], []).append(row["tag"])
            notes = {row["file"]: row["text"] for row in database.execute("SELECT * FROM notes")}
        return tuple(self._entry(row, tags, notes) for row in rows)

    def search(self, text: str) -> tuple[Entry, ...]:
        """Return the runs in which every word of `text` occurs, newest first."""
        words = text.lower().split()
        return tuple(
            entry for entry in self.entries() if all(word in entry.words for word in words)
        )

    def tag(self, file: Path, tags: Iterable[str]) -> None:
        """Give a run these tags in the place of those it has."""
        name = self._name(file)
        kept = sorted({tag.strip() for tag in tags} - {""})
        with self._database() as database:
            database.execute("DELETE FROM tags WHERE file = ?", (name,))
            database.executemany("INSERT INTO tags VALUES (?, ?)", [(name, tag) for tag in kept])

    def note(self, file: Path, text: str) -> None:
        """Write a note on a run, in the place of the one it has."""
        with self._database() as database:
            database.execute(
                "INSERT OR REPLACE INTO notes VALUES (?, ?)", (self._name(file), text.strip())
            )

    def _name(self, file: Path) -> str:
        """Return how the database calls a file: relative, so that the folder can be moved."""
        return file.resolve().relative_to(self.folder.resolve()).as_posix()

    def _store(self, database: sqlite3.Connection, name: str, file: Path) -> None:
        try:
            state = file.stat()
        except OSError:  # gone meanwhile: the next look finds it missing
            return
        entry = read_entry(file)
        told = {key: getattr(entry or Entry(file=file), key) for key in _TOLD}
        row = {
            "file": name,
            "changed": state.st_mtime_ns,
            "size": state.st_size,
            "is_run": int(entry is not None),
            **{k: json.dumps(dict(v)) if k == "parameters" else v for k, v in told.items()},
        }
        places = ", ".join(f":{key}" for key in row)
        database.execute(f"INSERT OR REPLACE INTO runs ({', '.join(row)}) VALUES ({places})", row)

    def _entry(self, row: sqlite3.Row, tags: dict[str, list[str]], notes: dict[str, str]) -> Entry:
        told = {name: row[name] for name in _TOLD}
        told["parameters"] = json.loads(told["parameters"] or "{}")
        name = row["file"]
        return Entry(
            file=self.folder / name,
            tags=tuple(tags.get(name, ())),
            note=notes.get(name, ""),
            **told,
        )

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as database:
                database.row_factory = sqlite3.Row
                database.executescript(_TABLES)
                with database:
                    yield database
        except (sqlite3.Error, OSError) as error:
            raise CatalogueError(f"catalogue {self.path}: {error}") from error


def _is_new(file: Path, known: tuple[int, int, str] | None) -> bool:
    """Return whether a file must be read: unknown, changed, or one whose writer may have ended."""
    if known is None or known[2] == RUNNING:
        return True
    try:
        state = file.stat()
    except OSError:
        return False
    return (state.st_mtime_ns, state.st_size) != known[:2]
