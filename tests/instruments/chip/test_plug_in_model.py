"""A device model from elsewhere: the chip simulates it by its own equations."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labctl_data.errors import ModelError
from labctl_data.model import SoftBoundModel, laws
from labctl_instruments.chip import ROOM_TEMPERATURE, Chip

from .conftest import EVERY

Make = Callable[..., Chip]


def test_a_model_from_elsewhere_is_simulated_by_its_own_equations(
    make: Make, yao: SoftBoundModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The soft-bound cell, but of a filament that conducts twice as well when warm."""
    (tmp_path / "warm_equations.py").write_text(
        "from labctl_data.model.compiled import inlined\n"
        "from labctl_data.model.equations import *\n\n\n"
        "@inlined\n"
        "def at_temperature(p, g, kelvin):\n"
        "    return g * (2.0 if kelvin > 350.0 else 1.0)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)

    class Warm(SoftBoundModel):
        name = "warm"
        equations = "warm_equations"

    ours, theirs = make(yao), make(Warm.from_parameters(yao.parameters))
    cold = [chip.conductances(EVERY, 0.0) for chip in (ours, theirs)]
    for chip in (ours, theirs):
        chip.set_temperature(ROOM_TEMPERATURE + 80.0, 1.0)

    np.testing.assert_array_equal(cold[0], cold[1])
    np.testing.assert_array_equal(ours.conductances(EVERY, 2.0), cold[0])
    np.testing.assert_array_equal(theirs.conductances(EVERY, 2.0), 2.0 * cold[0])


def test_a_law_that_takes_other_arguments_is_refused(
    make: Make, yao: SoftBoundModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crooked_equations.py").write_text(
        "from labctl_data.model.equations import *\n\n\n"
        "def at_temperature(p, kelvin, g):\n"
        "    return g\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)

    class Crooked(SoftBoundModel):
        name = "crooked"
        equations = "crooked_equations"

    with pytest.raises(ModelError, match=r"at_temperature takes \('p', 'kelvin', 'g'\), asked"):
        make(Crooked.from_parameters(yao.parameters))


def test_a_model_whose_equations_are_not_installed_is_refused(yao: SoftBoundModel) -> None:
    class Lost(SoftBoundModel):
        name = "lost"
        equations = "nowhere_to_be_found"

    with pytest.raises(ModelError, match="nowhere_to_be_found of its equations is not installed"):
        Lost.from_parameters(yao.parameters).packed()


def test_a_law_called_from_python_is_the_compiled_one(yao: SoftBoundModel) -> None:
    record = yao.packed()[0]

    assert laws.current(record, 20e-6, 0.2) == pytest.approx(4e-6, rel=1e-12)
    assert laws.is_on(record, 0.71)
    assert not laws.is_on(record, 0.69)


def test_a_chip_says_which_word_lines_are_on(make: Make) -> None:
    """The threshold is .7 V; a line that nothing drives is off."""
    found = make().wiring.is_on([0.0, 0.69, 0.71, 4.7, np.nan])

    np.testing.assert_array_equal(found, [False, False, True, True, False])
