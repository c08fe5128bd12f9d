"""What hybrid training remembers beside its run, so that a killed one goes on.

A checkpoint is written after each batch, before the writes that the batch asks for: what the pairs
are to hold is then on disk as weights, not as changes. Whoever goes on reads the chip and writes
towards the same weights; a pair that is there already gets no pulse.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from labctl_procedures.network.errors import NetworkError
from labctl_procedures.network.learned_pairs import STATE, LearnedPairs, Tally

SUFFIX = ".training.npz"
"""What is added to the name of a run file to name the checkpoint beside it."""


def checkpoint_path(run: Path) -> Path:
    """Return where the checkpoint of the run file `run` is."""
    return run.with_name(run.name + SUFFIX)


@dataclass
class Progressed:
    """How far training has come."""

    batches: int = 0
    """Batches learned from."""
    losses: list[float] = field(default_factory=list)
    """Mean cross-entropy of each of them."""
    counted: int | None = None
    """Sum of the board's pulse counters of the learning cells when training began; None where
    there are none."""


@dataclass(frozen=True)
class Checkpoint:
    """Where training is remembered, and what it is known by."""

    path: Path
    """The file."""
    marks: dict[str, Any]
    """What must be the same for a checkpoint to be this training's, as JSON can hold it."""

    def save(self, pairs: LearnedPairs, progressed: Progressed) -> None:
        """Put the present state in the place of the one before; a kill leaves one of the two."""
        facts = {
            "marks": self.marks,
            "progressed": asdict(progressed),
            "tally": asdict(pairs.tally),
            "draws": pairs.draws.bit_generator.state,
        }
        draft = self.path.with_name(self.path.name + ".part")
        with draft.open("wb") as file:
            np.savez(file, facts=np.array(json.dumps(facts)), **pairs.state())
        os.replace(draft, self.path)

    def take_up(self, pairs: LearnedPairs) -> Progressed | None:
        """Put the state remembered into `pairs`, if there is one, and say how far it had come.

        Raises
        ------
        NetworkError
            If the file is damaged, or is of another training.
        """
        if not self.path.is_file():
            return None
        facts, state = self._read()
        different = [key for key in self.marks if facts["marks"].get(key) != self.marks[key]]
        if different:
            key = different[0]
            raise NetworkError(
                f"{self.path}: is of a training with {key} {facts['marks'].get(key)!r}, "
                f"asked for {self.marks[key]!r}"
            )
        pairs.take_up(state)
        pairs.tally = Tally(**facts["tally"])
        pairs.draws.bit_generator.state = facts["draws"]
        return Progressed(**facts["progressed"])

    def _read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            with self.path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                return json.loads(str(file["facts"])), {name: file[name] for name in STATE}
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise NetworkError(f"{self.path}: not a checkpoint of training ({error})") from error
