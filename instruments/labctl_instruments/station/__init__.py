"""The station: the one thing a procedure holds."""

from labctl_instruments.errors import EnvelopeError
from labctl_instruments.station.envelope import Envelope
from labctl_instruments.station.protocol import (
    BenchInfo,
    BoolArray,
    ChipIdentity,
    FloatArray,
    Int8Array,
    Int32Array,
    Kind,
    LedgerSink,
    NullLedger,
    Station,
    Sweep,
    Switched,
    UInt32Array,
    Value,
)

__all__ = [
    "BenchInfo",
    "BoolArray",
    "ChipIdentity",
    "Envelope",
    "EnvelopeError",
    "FloatArray",
    "Int8Array",
    "Int32Array",
    "Kind",
    "LedgerSink",
    "NullLedger",
    "Station",
    "Sweep",
    "Switched",
    "UInt32Array",
    "Value",
]
