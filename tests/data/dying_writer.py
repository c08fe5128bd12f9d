"""A writer that never finishes: `python dying_writer.py PATH BLOCK` appends until it is killed.

After each block that must have reached the operating system it says how many rows it has given.
"""

import sys

import numpy as np

from labctl_data.cells import Cells
from labctl_data.run_file import Column, RunWriter

COLUMNS = (Column("conductance", "S", "Conductance"), Column("row", "", "Row", "i4"))


def main(path: str, block: int) -> None:
    writer = RunWriter.create(path, columns=COLUMNS, attributes={"procedure": "Dying"})
    cells = Cells.of([0, 0, 0])
    given = 0
    while True:
        writer.ledger.before_pulses(cells, 0, 2.0, 50e-9, 1.8, 1)
        index = np.arange(given, given + block)
        writer.append({"time": index * 1e-3, "conductance": index * 1e-6, "row": index})
        given += block
        if given % 64 == 0:
            sys.stdout.write(f"{given}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
