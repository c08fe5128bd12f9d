"""The lists of what virtual instruments answer are what they do answer."""

import pytest

from labctl_instruments.virtual.tsp import TspPersona
from labctl_instruments.virtual.vocabulary import scpi_commands, tsp_names

BIT, PULSER, MATRIX = "GPIB0::18::INSTR", "GPIB0::10::INSTR", "GPIB0::1::INSTR"


def spoken(header: str) -> str:
    """Return a header in its short form, optional parts left out, on channel 1."""
    kept, depth = "", 0
    for letter in header:
        depth += (letter == "[") - (letter == "]")
        if depth == 0 and letter != "]":
            kept += letter
    return "".join(c for c in kept.replace("#", "1") if not c.islower())


@pytest.mark.parametrize("address", [BIT, PULSER])
def test_every_query_that_is_listed_is_known_to_the_instrument(smu_rack, address):
    persona = smu_rack.persona(address)
    listed = [each for each in scpi_commands(persona) if each.is_query]
    assert len(listed) > 40

    for each in listed:
        smu_rack.exchange(address, f"*CLS;{spoken(each.header)}?\n".encode())
        number = smu_rack.exchange(address, b":SYST:ERR?\n").split(b",")[0]
        assert number != b"-113", each.header  # undefined header


def test_every_function_that_is_listed_is_one(smu_rack):
    persona = smu_rack.persona(MATRIX)
    assert isinstance(persona, TspPersona)
    names = tsp_names(persona)

    assert "channel.exclusiveclose" in names["function"]
    for name in names["function"]:
        assert smu_rack.exchange(MATRIX, f"print(type({name}))\n".encode()) == b"function\n"


def test_what_only_the_firmware_may_call_is_not_listed(smu_rack):
    names = tsp_names(smu_rack.persona(MATRIX))

    assert not [name for kind in names.values() for name in kind if name.startswith("_")]
