"""Bench files of small benches: one array of 16 x 8 cells, the same chip behind each."""

from __future__ import annotations

COMMON = """\
[identity]
wafer = "simulated"
die = "x0y0"
chip = "small"

[geometry]
pes = 1
rows = 16
columns = 8

[envelope]
voltage = 3.5
gate_voltage = 5.0
current = 1e-3
energy = 1e-9
pulses = 500

[instruments.clock]
driver = "bench-clock"
address = "TCPIP0::clock.sim::hislip0::INSTR"
role = "clock"
"""

BOARD = (
    'kind = "board"\n'
    + COMMON
    + """
[instruments.board]
driver = "array-test-board"
address = "TCPIP0::array-board.sim::hislip0::INSTR"
role = "board"
"""
)

SMU = (
    'kind = "smu"\n'
    + COMMON
    + """
[instruments.bit]
driver = "keithley-2450"
address = "GPIB0::18::INSTR"
role = "bit-line"

[instruments.source]
driver = "keithley-2450"
address = "GPIB0::19::INSTR"
role = "source-line"

[instruments.gate]
driver = "keithley-2450"
address = "GPIB0::20::INSTR"
role = "word-line"

[instruments.pulser]
driver = "keysight-81160a"
address = "GPIB0::10::INSTR"
role = "pulser"

[instruments.matrix1]
driver = "keithley-707b"
address = "GPIB0::1::INSTR"
role = "matrix"

[instruments.matrix2]
driver = "keithley-707b"
address = "GPIB0::2::INSTR"
role = "matrix"

[lines]
"WL[0:16]" = "matrix1:1-16"
"SL[0:10]" = "matrix1:63-72"
"SL[10:16]" = "matrix2:1-6"
"BL[0:8]" = "matrix2:20-27"

[rows]
A = "ground"
B = "bit"
C = "source"
D = "gate"
E = "pulser:1"
"""
)
SMU_2636B = SMU
for old, channel in ((18, "a"), (19, "b"), (20, "a")):
    SMU_2636B = SMU_2636B.replace(
        f'driver = "keithley-2450"\naddress = "GPIB0::{old}::INSTR"',
        f'driver = "keithley-2636b"\naddress = "GPIB0::{27 if old == 20 else 26}::INSTR"\n'
        f'channel = "{channel}"',
    )
SMU_3706A = SMU.replace("keithley-707b", "keithley-3706a")
SMU_B1500A = SMU
for old, module in (
    ('keithley-2450"\naddress = "GPIB0::18::INSTR"', ("hrsmu", 1)),
    ('keithley-2450"\naddress = "GPIB0::19::INSTR"', ("hrsmu", 2)),
    ('keithley-2450"\naddress = "GPIB0::20::INSTR"', ("mpsmu", 3)),
    ('keysight-81160a"\naddress = "GPIB0::10::INSTR"', ("spgu", 5)),
):
    kind_of_module, slot = module
    SMU_B1500A = SMU_B1500A.replace(
        f'driver = "{old}',
        f'driver = "keysight-b1500a-{kind_of_module}"\naddress = "GPIB0::17::INSTR"\n'
        f'channel = "{slot}"',
    )


def passive(smu: str) -> str:
    """Return an SMU bench without word lines, whose pulser has both channels on rows."""
    for old, new in (
        ('role = "word-line"', 'role = "inhibit"'),
        ('"WL[0:16]" = "matrix1:1-16"\n', ""),
        ('E = "pulser:1"', 'E = "pulser:1"\nF = "pulser:2"'),
    ):
        smu = smu.replace(old, new)
    return smu + "[passive]\n"


TEXTS = {
    "board": BOARD,
    "passive_board": BOARD + "[passive]\n",
    "passive_third": BOARD + '[passive]\nwrite = "third"\n',
    "passive_smu": passive(SMU),
    "passive_b1500a": passive(SMU_B1500A),
    "smu": SMU,
    "smu_2636b": SMU_2636B,
    "smu_3706a": SMU_3706A,
    "smu_b1500a": SMU_B1500A,
}
