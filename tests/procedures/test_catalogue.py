import os
import subprocess
import sys

import pytest

from labctl_procedures import catalogue
from labctl_procedures.errors import ParameterError, ProcedureError

NAMES = ("IVSweep", "WriteVerify", "ReadDisturb", "Retention", "DifferentialMAC")


def test_naming_the_procedures_does_not_import_pymeasure() -> None:
    code = (
        "import sys; from labctl_procedures import catalogue; catalogue.names(); "
        "sys.exit('pymeasure' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], env=_environment()).returncode == 0


def test_the_five_procedures_of_a_characterisation_are_there() -> None:
    assert set(NAMES) <= set(catalogue.names())


@pytest.mark.parametrize("name", NAMES)
def test_every_procedure_explains_itself_its_parameters_and_its_columns(name: str) -> None:
    procedure = catalogue.load(name)
    parameters = catalogue.parameters_of(procedure)

    assert procedure.__doc__
    assert [column.name for column in procedure.COLUMNS[:4]] == ["time", "pe", "row", "column"]
    assert all(parameter.doc and parameter.label for parameter in parameters)
    assert parameters[0].name == "cells"


def test_a_parameter_tells_unit_default_and_limits() -> None:
    known = {p.name: p for p in catalogue.parameters_of(catalogue.load("WriteVerify"))}

    assert (known["voltage"].unit, known["voltage"].default) == ("V", 0.2)
    assert (known["levels"].minimum, known["levels"].maximum) == (2, 256)
    assert known["assignment"].choices == ("random", "all")


def test_a_procedure_is_made_from_what_a_person_types() -> None:
    made = catalogue.make("WriteVerify", {"window": "58nS", "after": "10min,1h"})

    values = made.parameter_values()
    assert (values["window"], values["after"]) == (5.8e-8, (600.0, 3600.0))


def test_an_unknown_procedure_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProcedureError, match=r"'Nonsense' is unknown.*WriteVerify"):
        catalogue.make("Nonsense")


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match=r"WriteVerify: .*'hue'.*window"):
        catalogue.make("WriteVerify", {"hue": "red"})


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
