"""JART VCM v1b: a physical, slower model of a filamentary oxide cell, to hold shapes against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from labctl_data.model.declared import DeclaredModel, Scalar

_NANO = 1e-9
_PER_VOLUME = 1e26


@dataclass(frozen=True, eq=False)
class JartVcmModel(DeclaredModel):
    """A cell of oxide between a Schottky contact and an ohmic one, with one state: vacancies N.

    The fields are the parameters of the authors' text, in SI; `jart_v1b` gives their values, and
    `labctl_data.model.jart_equations` the equations. It has no spread and no noise: it serves as a
    reference for shapes, not as the model of a chip.
    """

    name: ClassVar[str] = "jart-vcm-v1b"
    equations: ClassVar[str] = "labctl_data.model.jart_equations"
    ordered: ClassVar[tuple[tuple[str, str], ...]] = (
        ("least_vacancies", "most_vacancies"),
        ("disc_length", "cell_length"),
        ("fermi_level", "barrier_height"),
    )

    ambient_temperature: Annotated[float, Scalar("K", "temperature around the cell", least=1.0)]
    permittivity: Annotated[float, Scalar("1", "static permittivity of the oxide", least=1.0)]
    image_permittivity: Annotated[
        float, Scalar("1", "permittivity of the image force at the contact", least=1.0)
    ]
    barrier_height: Annotated[float, Scalar("eV", "barrier of the contact", least=0.0)]
    fermi_level: Annotated[float, Scalar("eV", "conduction band over Fermi level", least=0.0)]
    mobility: Annotated[float, Scalar("m^2/V/s", "mobility of electrons", least=1e-15)]
    most_vacancies: Annotated[float, Scalar("1/m^3", "most vacancies in the disc", least=1.0)]
    least_vacancies: Annotated[float, Scalar("1/m^3", "fewest vacancies in the disc", least=1.0)]
    plug_vacancies: Annotated[float, Scalar("1/m^3", "vacancies in the plug", least=1.0)]
    hop_distance: Annotated[float, Scalar("m", "distance of an ion's hop", least=1e-12)]
    attempt_frequency: Annotated[float, Scalar("Hz", "attempts to hop", least=1.0)]
    hop_energy: Annotated[float, Scalar("eV", "barrier of a hop", least=1e-3)]
    heating: Annotated[float, Scalar("K/W", "thermal resistance of the filament", least=0.0)]
    reset_heating: Annotated[
        float, Scalar("1", "part of it that counts in RESET", least=0.0, most=1.0)
    ]
    radius: Annotated[float, Scalar("m", "radius of the filament", least=1e-10)]
    cell_length: Annotated[float, Scalar("m", "length of disc and plug", least=1e-10)]
    disc_length: Annotated[float, Scalar("m", "length of the disc", least=1e-11)]
    layer_resistance: Annotated[
        float, Scalar("ohm", "series resistance of the second oxide", least=0.0)
    ]
    line_resistance: Annotated[float, Scalar("ohm", "resistance of cold lines", least=0.0)]
    line_heating: Annotated[float, Scalar("K/W", "thermal resistance of the lines", least=0.0)]
    line_coefficient: Annotated[
        float, Scalar("1/K", "temperature coefficient of the lines", least=0.0)
    ]


def jart_v1b() -> JartVcmModel:
    """Return the parameters of the authors' deterministic v1b text, a HfO2/TiOx cell.

    Model of Cueppers et al., APL Materials 7, 091105 (2019) and Bengel et al., IEEE TCAS-I 67, 4618
    (2020). The papers were not at hand: each number was read in two public translations of the
    authors' Verilog-A (C++, Matlab) or in one and the device `JARTv1b` of aihwkit; they agree. The
    page on the physical reference says which.
    """
    return JartVcmModel(
        ambient_temperature=293.0,
        permittivity=17.0,
        image_permittivity=5.5,
        barrier_height=0.18,
        fermi_level=0.1,
        mobility=4e-6,
        most_vacancies=20 * _PER_VOLUME,
        least_vacancies=0.008 * _PER_VOLUME,
        plug_vacancies=20 * _PER_VOLUME,
        hop_distance=0.25 * _NANO,
        attempt_frequency=2e13,
        hop_energy=1.35,
        heating=15.72e6,
        reset_heating=0.27,
        radius=45 * _NANO,
        cell_length=3 * _NANO,
        disc_length=0.4 * _NANO,
        layer_resistance=650.0,
        line_resistance=719.2437,
        line_heating=90471.47,
        line_coefficient=3.92e-3,
    )
