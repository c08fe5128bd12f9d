"""Chip files: a device model with what is known about each parameter, and the state of cells."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from labctl_data.errors import ChipFileError, ModelError, NotAChipFileError
from labctl_data.model import DeviceModel, ParameterSpec, ParameterValue, model_from
from labctl_data.run_file.attributes import read_attributes, write_attributes
from labctl_data.untrusted import one_line, open_untrusted

SCHEMA = "labctl-chip"
SCHEMA_VERSION = 1

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class FittedParameter:
    """A parameter of a device model, and how it is known."""

    name: str
    """Name in the model."""
    value: ParameterValue
    """Value, in `unit`: a float or a table."""
    unit: str
    """SI unit; `1` for a pure number."""
    uncertainty: ParameterValue
    """Standard error, of the value's shape; NaN where none is known."""
    identifiable: bool
    """Whether the data told; else the value is carried from `source`."""
    source: str
    """Where the value came from: run files, or the prior it is carried from."""


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A device model with the standing of each of its parameters."""

    model: DeviceModel
    """The model."""
    parameters: tuple[FittedParameter, ...]
    """One for each of the model's parameters, in its order."""
    quality: Mapping[str, Any] = field(default_factory=dict)
    """How well it fits, as JSON can hold it."""

    @classmethod
    def given(cls, model: DeviceModel, *, source: str = "given") -> FittedModel:
        """Return a model that no data stand behind: a preset, or one typed in."""
        parameters = (
            FittedParameter(s.name, v, s.unit, _nan_like(v), identifiable=False, source=source)
            for s, v in _specified(model)
        )
        return cls(model, tuple(parameters))


@dataclass(frozen=True, eq=False)
class CellState:
    """What a chip file remembers of single cells."""

    stuck: npt.NDArray[np.int8]
    """StuckClass of each cell, shape (pe, row, col)."""
    parameters: Mapping[str, Array] = field(default_factory=dict)
    """Device-to-device parameters, each of a shape that begins (pe, row, col)."""
    state: Mapping[str, Array] = field(default_factory=dict)
    """State of a simulated chip, by the names its author chose."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further facts: seed, bench time, identity; as JSON can hold them."""


@dataclass(frozen=True, eq=False)
class ChipFile:
    """A chip file, read."""

    path: Path
    """Where it is."""
    fitted: FittedModel
    """The device model and the standing of its parameters."""
    cells: CellState | None
    """Per-cell facts, where the file has them."""
    provenance: Mapping[str, Any]
    """Who wrote it, when, from what."""

    @property
    def model(self) -> DeviceModel:
        """The device model."""
        return self.fitted.model

    @property
    def parameters(self) -> tuple[FittedParameter, ...]:
        """One entry for each parameter of the model."""
        return self.fitted.parameters

    @property
    def quality(self) -> Mapping[str, Any]:
        """How well the model fits."""
        return self.fitted.quality


def write_chip(
    path: str | os.PathLike[str],
    model: FittedModel | DeviceModel,
    *,
    cells: CellState | None = None,
    provenance: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> None:
    """Write a chip file, whole or not at all.

    Parameters
    ----------
    path : path
        Where.
    model : FittedModel or DeviceModel
        The model; a bare one is noted as given.
    cells : CellState, optional
        What to remember of single cells.
    provenance : mapping, optional
        Who writes it, when, from what; as JSON can hold it.
    replace : bool
        Whether a file at `path` may be replaced: a chip's state is carried from run to run.

    Raises
    ------
    ChipFileError
        If the file exists and may not be replaced, or cannot be written.
    """
    target = Path(path)
    if target.exists() and not replace:
        raise ChipFileError(f"{target}: exists already; it is not overwritten")
    fitted = model if isinstance(model, FittedModel) else FittedModel.given(model)
    draft = target.with_name(target.name + ".new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(draft, "w", libver=("v110", "v110")) as file:
            facts = {"provenance": dict(provenance or {})}
            write_attributes(file, {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **facts})
            _write_model(file.create_group("model", track_order=True), fitted)
            if cells is not None:
                _write_cells(file.create_group("cells"), cells)
        os.replace(draft, target)
    except OSError as error:
        raise ChipFileError(f"{target}: cannot be written ({one_line(error)})") from error
    finally:
        draft.unlink(missing_ok=True)


def read_chip(path: str | os.PathLike[str]) -> ChipFile:
    """Read a chip file.

    Raises
    ------
    NotAChipFileError
        If it is an HDF5 file of another kind.
    ChipFileError
        If it is missing, damaged, of another schema version, holds what could do
        harm, or its model is not installed or not physical.
    """
    source = Path(path)
    with open_untrusted(source, error=ChipFileError) as file:
        stranger = _is_another(file)
        if stranger:
            raise NotAChipFileError(f"{source}: {stranger}")
        complaint = _layout_complaint(file)
        if complaint:
            raise ChipFileError(f"{source}: {complaint}")
        try:
            fitted = _read_model(file["model"])
            cells = _read_cells(file["cells"]) if "cells" in file else None
            provenance = read_attributes(file).get("provenance", {})
        except ModelError as error:
            raise ChipFileError(f"{source}: {error}") from error
        except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
            raise ChipFileError(f"{source}: damaged ({one_line(error)})") from error
    return ChipFile(source, fitted, cells, provenance)


def _is_another(file: h5py.File) -> str:
    """Say that an HDF5 file is no chip file, and what it is; empty for a chip file."""
    try:
        found = read_attributes(file).get("schema")
    except (OSError, RuntimeError, ValueError, TypeError):
        return "not a labctl chip file"
    if found == SCHEMA:
        return ""
    return "not a labctl chip file" + (f", found '{found}'" if found else "")


def _layout_complaint(file: h5py.File) -> str:
    facts = read_attributes(file)
    if facts.get("schema_version") != SCHEMA_VERSION:
        return (
            f"asked for chip schema version {SCHEMA_VERSION}, found {facts.get('schema_version')}"
        )
    return "" if isinstance(file.get("model"), h5py.Group) else "a chip file without /model"


def _write_model(group: h5py.Group, fitted: FittedModel) -> None:
    write_attributes(group, {"name": fitted.model.name, "quality": dict(fitted.quality)})
    docs = {spec.name: spec.doc for spec in fitted.model.specs()}
    for parameter in fitted.parameters:
        value = np.asarray(parameter.value, np.float64)
        dataset = group.create_dataset(parameter.name, data=value)
        facts = {
            "units": parameter.unit,
            "long_name": docs[parameter.name],
            "identifiable": int(parameter.identifiable),
            "source": parameter.source,
        }
        write_attributes(dataset, facts)
        uncertainty = np.broadcast_to(np.asarray(parameter.uncertainty, np.float64), value.shape)
        dataset.attrs.create("uncertainty", uncertainty)


def _read_model(group: h5py.Group) -> FittedModel:
    parameters = tuple(_read_parameter(name, dataset) for name, dataset in group.items())
    values = {parameter.name: parameter.value for parameter in parameters}
    facts = read_attributes(group)
    model = model_from(str(facts["name"]), values)
    order = {spec.name: number for number, spec in enumerate(model.specs())}
    ranked = tuple(sorted(parameters, key=lambda parameter: order[parameter.name]))
    return FittedModel(model, ranked, dict(facts["quality"]))


def _read_parameter(name: str, dataset: h5py.Dataset) -> FittedParameter:
    facts = read_attributes(dataset)
    return FittedParameter(
        name,
        _scalar_or_table(dataset[()]),
        str(facts["units"]),
        _scalar_or_table(np.asarray(dataset.attrs["uncertainty"])),
        identifiable=bool(facts["identifiable"]),
        source=str(facts["source"]),
    )


def _write_cells(group: h5py.Group, cells: CellState) -> None:
    write_attributes(group, {"facts": dict(cells.facts)})
    _write_array(group, "stuck", np.asarray(cells.stuck, np.int8))
    for name, arrays in (("parameters", cells.parameters), ("state", cells.state)):
        part = group.create_group(name)
        for key, values in arrays.items():
            _write_array(part, key, np.asarray(values))


def _write_array(group: h5py.Group, name: str, values: Array) -> None:
    packed = {"compression": 1, "shuffle": True} if values.size > 1 else {}
    group.create_dataset(name, data=values, **packed)


def _read_cells(group: h5py.Group) -> CellState:
    stuck = np.asarray(group["stuck"][()], np.int8)
    if stuck.ndim != 3:
        raise ValueError(f"/cells/stuck asks for shape (pe, row, col), found {stuck.shape}")
    parts = {
        name: {key: np.asarray(dataset[()]) for key, dataset in group[name].items()}
        for name in ("parameters", "state")
    }
    facts = read_attributes(group).get("facts", {})
    return CellState(stuck, parts["parameters"], parts["state"], facts)


def _specified(model: DeviceModel) -> list[tuple[ParameterSpec, ParameterValue]]:
    values = model.parameters
    return [(spec, values[spec.name]) for spec in model.specs()]


def _nan_like(value: ParameterValue) -> ParameterValue:
    return _scalar_or_table(np.full(np.shape(value), np.nan))


def _scalar_or_table(value: Array) -> ParameterValue:
    array = np.asarray(value, np.float64)
    return array if array.ndim else float(array)
