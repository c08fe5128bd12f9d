"""Benches with one thing changed: written as bench and chip files, opened like anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labctl.errors import ReproduceError
from labctl_data.chip_file import write_chip
from labctl_data.model import preset
from labctl_instruments import load_bench

Keys = Mapping[str, float]


@dataclass(frozen=True)
class Variant:
    """A simulated bench with cells that stand still, but for what is asked for."""

    keeps: frozenset[str] = frozenset()
    """Parameters of the device model that are as the bench's preset has them; without them there
    is no read noise, no telegraph noise, no relaxation and no read disturb."""
    virtual: Keys = field(default_factory=dict)
    """Keys of [virtual]."""
    converters: Keys = field(default_factory=dict)
    """Keys of [virtual.converters]."""

    def and_(self, other: Variant) -> Variant:
        """Return this variant with what `other` changes changed as well."""
        return Variant(
            self.keeps | other.keeps,
            {**self.virtual, **other.virtual},
            {**self.converters, **other.converters},
        )

    def write(self, bench: str, folder: Path, name: str) -> Path:
        """Write the bench file and its chip file into `folder` and return the bench file.

        Raises
        ------
        ReproduceError
            If the bench is not a simulated one with a preset.
        """
        shipped = load_bench(bench)
        if shipped.virtual is None or shipped.virtual.preset is None:
            raise ReproduceError(
                f"reproduce: bench '{bench}' has no [virtual] preset to change; "
                "this entry is of simulated chips"
            )
        model = preset(shipped.virtual.preset)
        kept = {key: model.parameters[key] for key in self.keeps}
        quiet = model.without_noise()
        write_chip(folder / f"{name}.h5", quiet.from_parameters({**quiet.parameters, **kept}))
        path = folder / f"{name}.toml"
        lines = [shipped.text.split("[virtual]")[0], "[virtual]", f'file = "{name}.h5"']
        lines += [f"{key} = {value}" for key, value in self.virtual.items()]
        lines.append("[virtual.converters]")
        lines += [f"{key} = {value}" for key, value in self.converters.items()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path
