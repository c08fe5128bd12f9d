"""The log of a virtual bench."""

import json

from labctl_instruments.virtual.clock import Clock
from labctl_instruments.virtual.dialogue_log import DialogueLog, Direction
from labctl_instruments.virtual.personas.clock import ClockPersona
from labctl_instruments.virtual.rack import Rack

ADDRESS = "GPIB0::1::INSTR"


def make(log: DialogueLog) -> Rack:
    clock = Clock()
    return Rack(None, clock, {ADDRESS: ClockPersona(clock)}, log)


def test_every_message_is_logged_with_the_bench_time_it_was_sent_and_answered_at() -> None:
    rack = make(DialogueLog())

    rack.exchange(ADDRESS, b"CLOC:ADV 5\n")
    rack.exchange(ADDRESS, b"CLOC:ADV 2;*OPC?\n")

    assert [(e.time, e.direction, e.message) for e in rack.log] == [
        (0.0, Direction.TO_INSTRUMENT, b"CLOC:ADV 5\n"),
        (5.0, Direction.TO_INSTRUMENT, b"CLOC:ADV 2;*OPC?\n"),
        (7.0, Direction.FROM_INSTRUMENT, b"1\n"),
    ]


def test_a_long_message_is_kept_as_its_head_length_and_checksum() -> None:
    rack = make(DialogueLog())
    messages = (b"*IDN? #41000" + bytes(1000), b"*IDN? #41000" + bytes(999) + b"\1")

    for message in messages:
        rack.exchange(ADDRESS, message)

    first, second = (entry.message for entry in rack.log)
    assert first.startswith(messages[0][:256])
    assert b"<1012 bytes, crc32 " in first
    assert len(first) < 300
    assert first != second


def test_the_checksum_of_a_command_is_of_all_its_bytes_however_many() -> None:
    rack = make(DialogueLog())
    body = b" #6100000" + bytes(99_999)

    for message in (b"CLOC:ADV" + body + b"\0", b"CLOC:ADV" + body + b"\1"):
        rack.exchange(ADDRESS, message)

    first, second = (entry.message for entry in rack.log)
    assert b"crc32" in first
    assert first != second


def test_memory_is_bounded_and_what_was_dropped_is_counted() -> None:
    rack = make(DialogueLog(capacity=10))

    for _ in range(50):
        rack.exchange(ADDRESS, b"*IDN?\n")

    assert len(rack.log) == 10
    assert rack.log.n_exchanges == 50


def test_a_spill_file_keeps_everything(tmp_path) -> None:
    log = DialogueLog(capacity=1, spill=tmp_path / "log.jsonl")
    rack = make(log)

    for _ in range(3):
        rack.exchange(ADDRESS, b"*OPC?\n")
    log.event(1.5, "chip", "two sources on one line")
    log.close()

    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["direction"] for line in lines] == [">", "<"] * 3 + ["!"]
    assert lines[0]["message"] == "*OPC?\n"


def test_messages_can_be_asked_for_by_instrument() -> None:
    rack = make(DialogueLog())

    rack.exchange(ADDRESS, b"*CLS\n")

    assert rack.log.messages(ADDRESS) == [b"*CLS\n"]
    assert rack.log.messages("GPIB0::2::INSTR") == []
