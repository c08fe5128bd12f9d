"""A small simulated bench: two PEs of 16 x 8 cells."""

SMALL_BENCH = """
kind = "board"

[identity]
wafer = "w1"
die = "x2y3"
chip = "c4"

[geometry]
pes = 2
rows = 16
columns = 8

[envelope]
voltage = 3.5
gate_voltage = 5.0
current = 1e-3
energy = 1e-9
pulses = 1_000_000

[instruments.board]
driver = "array-test-board"
address = "TCPIP0::array-board.sim::5025::SOCKET"
role = "board"

[instruments.clock]
driver = "bench-clock"
address = "TCPIP0::clock.sim::5025::SOCKET"
role = "clock"

[virtual]
preset = "yao"
seed = 1
state = "formed"
"""
