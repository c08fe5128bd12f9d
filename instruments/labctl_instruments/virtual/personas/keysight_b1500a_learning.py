"""What a B1500A tells of its settings (`*LRN?`): the commands that would make them so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from labctl_instruments.virtual.personas.keysight_b1500a_flex import BAD_VALUE, FlexError, told
from labctl_instruments.virtual.personas.keysight_b1500a_smu import AUTO, CYCLES

if TYPE_CHECKING:
    from labctl_instruments.virtual.personas.keysight_b1500a import KeysightB1500APersona


def learnt(frame: KeysightB1500APersona, kind: float) -> str:
    """Return the settings of a kind; error 120 where it is none that is told here."""
    if 1 <= kind <= 10:
        return _slot(frame, int(kind))
    tell = _KINDS.get(int(kind))
    if tell is None or kind != int(kind):
        raise FlexError(BAD_VALUE)
    return ";".join(tell(frame))


def _slot(frame: KeysightB1500APersona, slot: int) -> str:
    if slot in frame.smus:
        return frame.smus[slot].learnt()
    if slot not in frame.spgus:
        return f"CL{slot}"
    channels = frame.spgus[slot].channels.values()
    return ";".join(f"{'CN' if channel.is_on else 'CL'}{channel.number}" for channel in channels)


def _switches(frame: KeysightB1500APersona) -> Iterable[str]:
    closed = [str(slot) for slot, smu in frame.smus.items() if smu.is_on]
    for spgu in frame.spgus.values():
        closed += [str(number) for number, channel in spgu.channels.items() if channel.is_on]
    yield f"CN{','.join(closed)}" if closed else "CL"


def _filters(frame: KeysightB1500APersona) -> Iterable[str]:
    for on in (0, 1):
        slots = [str(slot) for slot, smu in frame.smus.items() if smu.settings.is_filtered == on]
        if len(slots) == len(frame.smus):
            yield f"FL{on}"
        elif slots:
            yield f"FL{on},{','.join(slots)}"


def _modes(frame: KeysightB1500APersona) -> Iterable[str]:
    settings = frame.measurement.settings
    high_speed = settings.converters[0]
    if high_speed.mode == CYCLES:
        averaging = f"AV{-high_speed.number:g}"
    else:
        averaging = f"AV{high_speed.number:g},{0 if high_speed.mode == AUTO else 1}"
    channels = "".join(f",{slot}" for slot in settings.channels)
    yield f"TM{frame.kept['TM']}"
    yield averaging
    yield f"CM{frame.kept['CM']}"
    yield f"FMT{settings.format},{settings.source_data}"
    yield f"MM{settings.mode}{channels}"


def _ranges(frame: KeysightB1500APersona) -> Iterable[str]:
    for slot, smu in frame.smus.items():
        for quantity, code in smu.settings.ranges.items():
            yield f"R{quantity}{slot},{code}"


def _sweeps(frame: KeysightB1500APersona) -> Iterable[str]:
    settings = frame.measurement.settings
    yield f"WM{settings.sweep_abort[0]},{settings.sweep_abort[1]}"
    yield f"WT{','.join(map(told, settings.sweep_times))}"
    for number, (slot, sweep) in enumerate(settings.sweeps.items()):
        ends = f"{told(sweep.start)},{told(sweep.stop)}"
        power = "" if sweep.power is None else f",{told(sweep.power)}"
        limit = f"{told(sweep.compliance)}{power}"
        if number == 0:
            head = f"W{sweep.quantity}{slot},{sweep.mode},{sweep.code}"
            yield f"{head},{ends},{sweep.steps},{limit}"
        else:
            yield f"WS{sweep.quantity}{slot},{sweep.code},{ends},{limit}"


def _operations(frame: KeysightB1500APersona) -> Iterable[str]:
    for slot, smu in frame.smus.items():
        yield f"CMM{slot},{smu.settings.operation}"


def _samplings(frame: KeysightB1500APersona) -> Iterable[str]:
    settings = frame.measurement.settings
    hold, interval, number, hold_of_base = settings.sampling_times
    yield f"ML{settings.sampling}"
    yield f"MT{told(hold)},{told(interval)},{number},{told(hold_of_base)}"
    yield f"MSC{settings.sampling_abort[0]},{settings.sampling_abort[1]}"
    for slot, bias in settings.biases.items():
        levels = f"{told(bias.base)},{told(bias.bias)},{told(bias.compliance)}"
        yield f"M{bias.quantity}{slot},{bias.code},{levels}"


def _resistors(frame: KeysightB1500APersona) -> Iterable[str]:
    for slot in frame.smus:
        yield f"SSR{slot},0"


def _rangings(frame: KeysightB1500APersona) -> Iterable[str]:
    for slot, smu in frame.smus.items():
        mode, rate = smu.settings.ranging
        yield f"RM{slot},{mode},{rate}"


def _converters(frame: KeysightB1500APersona) -> Iterable[str]:
    for slot, smu in frame.smus.items():
        yield f"AAD{slot},{smu.settings.adc}"


def _integrations(frame: KeysightB1500APersona) -> Iterable[str]:
    settings = frame.measurement.settings
    for kind, converter in enumerate(settings.converters):
        yield f"AIT{kind},{converter.mode},{told(converter.number)}"
    yield f"AZ{int(settings.is_zeroed)}"


def _time_stamp(frame: KeysightB1500APersona) -> Iterable[str]:
    yield f"TSC{int(frame.measurement.settings.has_time)}"


def _parallel(frame: KeysightB1500APersona) -> Iterable[str]:
    yield f"PAD{frame.kept['PAD']}"


_KINDS = {
    0: _switches,
    30: _filters,
    31: _modes,
    32: _ranges,
    33: _sweeps,
    46: _operations,
    47: _samplings,
    53: _resistors,
    54: _rangings,
    55: _converters,
    56: _integrations,
    60: _time_stamp,
    110: _parallel,
}
"""Kinds of settings, by the numbers of the programming guide."""
