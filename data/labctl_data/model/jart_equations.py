"""The equations of JART VCM v1b: a filamentary oxide cell between a Schottky contact and an ohmic.

A disc of oxide at the contact holds N oxygen vacancies a volume; they lower the barrier of the
contact and carry the current of the disc. Ions hop through the disc, helped by field and heat. All
is as in the Verilog-A text of the Juelich Aachen Resistive Switching Tools, version 1b; see the
README of this folder for the sources. Our polarity: a positive voltage SETs (theirs is reversed).

Every function takes the packed parameters `p` first (``JartVcmModel.packed()[0]``) and compiles
into the loops that call it. SI units; energies of parameters in eV.
"""

from __future__ import annotations

import math

from labctl_data.model.compiled import compiled, inlined
from labctl_data.model.laws import Packed
from labctl_data.model.parameter import FloatArray

ELEMENTARY_CHARGE = 1.602176634e-19
BOLTZMANN = 1.380649e-23
PLANCK = 6.62607015e-34
ELECTRON_MASS = 9.1093837015e-31
VACUUM_PERMITTIVITY = 8.8541878128e-12
RICHARDSON = 6.01e5
"""Richardson's constant of the oxide, in A/m^2/K^2 (the authors' text)."""
VACANCY_CHARGE = 2.0
"""Charge number of an oxygen vacancy."""
LIMIT_POWER = 10.0
"""Power of the functions that stop the ions at the ends of their range (the authors' text)."""
BISECTIONS = 50
"""Halvings of an interval; 2^-50 of a volt is below rounding."""
MOST_HEATINGS = 400
"""Most steps towards the temperature."""
HOTTEST = 1e5
"""Temperature at which the search gives up, in K: no solid is left there."""


@inlined
def area(p: Packed) -> float:
    """Return the filament's cross-section, in m^2."""
    return float(math.pi * p.radius * p.radius)


@inlined
def disc_resistance(p: Packed, vacancies: float) -> float:
    """Return the resistance of the disc, in ohm: l / (z e N mu A)."""
    density = VACANCY_CHARGE * ELEMENTARY_CHARGE * vacancies * p.mobility
    return float(p.disc_length / (density * area(p)))


@inlined
def plug_resistance(p: Packed) -> float:
    """Return the resistance of the rest of the filament, in ohm."""
    density = VACANCY_CHARGE * ELEMENTARY_CHARGE * p.plug_vacancies * p.mobility
    return float((p.cell_length - p.disc_length) / (density * area(p)))


@inlined
def series_resistance(p: Packed, current: float) -> float:
    """Return the resistance of oxide layer and lines, in ohm; the lines heat and grow with I^2."""
    heating = p.line_resistance * p.line_coefficient * current * current * p.line_heating
    return float(p.layer_resistance + p.line_resistance * (1.0 + heating))


@inlined
def barrier(p: Packed, vacancies: float, contact: float) -> float:
    """Return the barrier of the contact, in eV, lowered by the image force of the vacancies.

    `contact` is the voltage over the contact, counted as the authors do: negative in SET.
    """
    psi = p.barrier_height - p.fermi_level - contact
    if psi <= 0.0:
        return float(p.barrier_height)
    permittivity = p.image_permittivity * VACUUM_PERMITTIVITY
    charge = ELEMENTARY_CHARGE**3 * VACANCY_CHARGE * vacancies * psi
    lowering = (charge / (8.0 * math.pi**2 * permittivity**3)) ** 0.25
    return float(max(p.barrier_height - lowering, 0.0))


@compiled
def contact_current(p: Packed, vacancies: float, contact: float, kelvin: float) -> float:
    """Return the current through the contact, in A, of the sign of `contact`.

    Against the barrier (negative, SET) thermionic field emission of Padovani and Stratton; along it
    (positive, RESET) thermionic emission.
    """
    thermal = BOLTZMANN * kelvin
    height = barrier(p, vacancies, contact)
    if contact >= 0.0:
        through = RICHARDSON * kelvin**2 * math.exp(-height * ELEMENTARY_CHARGE / thermal)
        return float(area(p) * through * math.expm1(ELEMENTARY_CHARGE * contact / thermal))
    mass = ELECTRON_MASS * p.permittivity * VACUUM_PERMITTIVITY
    tunnelling = ELEMENTARY_CHARGE * PLANCK / (4.0 * math.pi)
    w00 = tunnelling * math.sqrt(VACANCY_CHARGE * vacancies / mass)
    ratio = w00 / thermal
    w0 = w00 / math.tanh(ratio)
    slope = w00 / (ratio - math.tanh(ratio))
    root = math.sqrt(
        math.pi * w00 * ELEMENTARY_CHARGE * (-contact + height / math.cosh(ratio) ** 2)
    )
    emission = RICHARDSON * kelvin / BOLTZMANN * root * math.exp(-ELEMENTARY_CHARGE * height / w0)
    return float(-area(p) * emission * math.expm1(-ELEMENTARY_CHARGE * contact / slope))


@inlined
def excess(p: Packed, vacancies: float, contact: float, cell: tuple[float, float]) -> float:
    """Return by how much contact and series voltages miss the cell's (voltage, temperature)."""
    current = contact_current(p, vacancies, contact, cell[1])
    ohms = disc_resistance(p, vacancies) + plug_resistance(p) + series_resistance(p, current)
    return float(contact + current * ohms - cell[0])


@inlined
def bisected(
    p: Packed, vacancies: float, low: float, high: float, cell: tuple[float, float]
) -> float:
    """Return the contact voltage between `low` and `high` at which the voltages add up."""
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if excess(p, vacancies, middle, cell) > 0.0:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@inlined
def peak_of_lowered(p: Packed, vacancies: float, kelvin: float) -> float:
    """Return the contact voltage of most current while the barrier is lowered.

    Towards flat band the lowering ends with a fourth root, so the current rises, then falls: a
    ternary search finds the one maximum.
    """
    low, high = 0.0, p.barrier_height - p.fermi_level
    for _ in range(BISECTIONS):
        left, right = low + (high - low) / 3.0, high - (high - low) / 3.0
        if contact_current(p, vacancies, left, kelvin) < contact_current(
            p, vacancies, right, kelvin
        ):
            low = left
        else:
            high = right
    return float(0.5 * (low + high))


@compiled
def contact_voltage(p: Packed, vacancies: float, voltage: float, kelvin: float) -> float:
    """Return the voltage over the contact (authors' polarity), in V, at a known temperature.

    In RESET two solutions may stand; the one with the lowered barrier is taken while it exists,
    which is where a cell is that comes from low voltages.
    """
    cell = (voltage, kelvin)
    if voltage <= 0.0:
        return bisected(p, vacancies, voltage, 0.0, cell)
    flat = min(p.barrier_height - p.fermi_level, voltage)
    peak = min(peak_of_lowered(p, vacancies, kelvin), voltage)
    if excess(p, vacancies, peak, cell) >= 0.0:
        return bisected(p, vacancies, 0.0, peak, cell)
    if excess(p, vacancies, flat, cell) >= 0.0:
        return bisected(p, vacancies, peak, flat, cell)
    return bisected(p, vacancies, flat, voltage, cell)


@inlined
def thermal_resistance(p: Packed, voltage: float) -> float:
    """Return the filament's thermal resistance, in K/W: lower in RESET by the authors' factor."""
    return float(p.heating if voltage <= 0.0 else p.heating * p.reset_heating)


@inlined
def heated(p: Packed, vacancies: float, voltage: float, kelvin: float) -> float:
    """Return the temperature that the power dissipated at temperature `kelvin` would hold, in K."""
    contact = contact_voltage(p, vacancies, voltage, kelvin)
    current = contact_current(p, vacancies, contact, kelvin)
    filament = current * (disc_resistance(p, vacancies) + plug_resistance(p))
    power = current * (contact + filament)
    return float(p.ambient_temperature + power * thermal_resistance(p, voltage))


@compiled
def temperature(p: Packed, vacancies: float, voltage: float) -> float:
    """Return the filament's temperature, in K: the lowest at which heating and cooling balance.

    A cold cell warms until the balance holds: steps of twice the imbalance until they overshoot,
    then halvings.
    """
    low = p.ambient_temperature
    for _ in range(MOST_HEATINGS):
        rise = heated(p, vacancies, voltage, low) - low
        if rise <= 1e-9 * low or low > HOTTEST:
            return float(low)
        high = low + 2.0 * rise
        if heated(p, vacancies, voltage, high) < high:
            return balance(p, vacancies, voltage, (low, high))
        low = high
    return float(low)


@inlined
def balance(p: Packed, vacancies: float, voltage: float, between: tuple[float, float]) -> float:
    """Return the temperature between two at which heating and cooling balance, in K."""
    low, high = between
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if heated(p, vacancies, voltage, middle) > middle:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@inlined
def hopping(p: Packed, field: float, kelvin: float) -> float:
    """Return the net rate of hops along the field, in 1/s: Mott and Gurney, to all orders."""
    gamma = VACANCY_CHARGE * p.hop_distance * field / (math.pi * p.hop_energy)
    even = math.sqrt(1.0 - gamma * gamma) + gamma * math.asin(gamma)
    odd = 0.5 * math.pi * gamma
    scale = p.hop_energy * ELEMENTARY_CHARGE / (BOLTZMANN * kelvin)
    return float(
        p.attempt_frequency * (math.exp(-scale * (even - odd)) - math.exp(-scale * (even + odd)))
    )


@inlined
def driven_contact(p: Packed, vacancies: float, current: float, kelvin: float) -> float:
    """Return the contact voltage, negative, at which a SET current of this size flows."""
    low = -p.hop_energy
    while contact_current(p, vacancies, low, kelvin) > -current:
        low *= 2.0
    high = 0.0
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if contact_current(p, vacancies, middle, kelvin) > -current:
            high = middle
        else:
            low = middle
    return float(0.5 * (low + high))


@compiled
def driven(p: Packed, vacancies: float, current: float) -> tuple[float, float, float]:
    """Return voltage, contact voltage and temperature of a cell that a SET current drives.

    The hotter the contact the less voltage it takes, so the balance of heat is one.
    """
    ohms = disc_resistance(p, vacancies) + plug_resistance(p)
    contact = driven_contact(p, vacancies, current, p.ambient_temperature)
    low = p.ambient_temperature
    high = low + p.heating * current * (current * ohms - contact)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        contact = driven_contact(p, vacancies, current, middle)
        held = p.ambient_temperature + p.heating * current * (current * ohms - contact)
        if held > middle:
            low = middle
        else:
            high = middle
    voltage = contact - current * (ohms + series_resistance(p, current))
    return float(voltage), float(contact), 0.5 * (low + high)


@inlined
def settled(
    p: Packed, vacancies: float, voltage: float, compliance: float
) -> tuple[float, float, float]:
    """Return cell voltage, contact voltage and temperature behind a source limited in SET."""
    kelvin = temperature(p, vacancies, voltage)
    contact = contact_voltage(p, vacancies, voltage, kelvin)
    if contact_current(p, vacancies, contact, kelvin) >= -compliance:
        return voltage, contact, kelvin
    return driven(p, vacancies, compliance)


@inlined
def vacancy_rate(p: Packed, vacancies: float, contact: float, kelvin: float) -> float:
    """Return dN/dt, in 1/m^3/s: the ions that hop into the disc or out of it.

    In SET the field is that of the disc, in RESET that of the filament and the contact.
    """
    current = contact_current(p, vacancies, contact, kelvin)
    disc = current * disc_resistance(p, vacancies)
    if contact > 0.0:
        field = (contact + disc + current * plug_resistance(p)) / p.cell_length
        limit = 1.0 - (p.least_vacancies / vacancies) ** LIMIT_POWER
    else:
        field = disc / p.disc_length
        limit = 1.0 - (vacancies / p.most_vacancies) ** LIMIT_POWER
    mean = 0.5 * (p.plug_vacancies + vacancies)
    speed = p.hop_distance * hopping(p, field, kelvin) * max(limit, 0.0)
    return float(-mean * speed / p.disc_length)


@compiled
def fill_rates(packed: Packed, arguments: FloatArray, out: FloatArray) -> None:
    """Fill rows of `out` (dN/dt, current, temperature, cell voltage), our polarity.

    Rows of `arguments`: vacancies, voltage of the source, its compliance in SET.
    """
    p = packed[0]
    for i in range(arguments.shape[1]):
        vacancies = arguments[0, i]
        voltage, contact, kelvin = settled(p, vacancies, -arguments[1, i], arguments[2, i])
        out[0, i] = vacancy_rate(p, vacancies, contact, kelvin)
        out[1, i] = -contact_current(p, vacancies, contact, kelvin)
        out[2, i] = kelvin
        out[3, i] = -voltage
