"""The status model as Lua sees it, and the common commands that set it, for all TSP instruments."""

from __future__ import annotations

from collections.abc import Callable

from labctl_instruments.virtual.scpi.status import OPERATION_COMPLETE, ScpiError, Status
from labctl_instruments.virtual.tsp_table import TspTable

_REGISTER = 255
_SUMMARIES = {
    "MEASUREMENT_SUMMARY_BIT": 1,
    "MSB": 1,
    "SYSTEM_SUMMARY_BIT": 2,
    "SSB": 2,
    "ERROR_AVAILABLE": 4,
    "EAV": 4,
    "QUESTIONABLE_SUMMARY_BIT": 8,
    "QSB": 8,
    "MESSAGE_AVAILABLE": 16,
    "MAV": 16,
    "EVENT_SUMMARY_BIT": 32,
    "ESB": 32,
    "REQUEST_SERVICE": 64,
    "MASTER_SUMMARY_STATUS": 64,
    "MSS": 64,
    "OPERATION_SUMMARY_BIT": 128,
    "OSB": 128,
}
_EVENTS = {
    "OPERATION_COMPLETE": 1,
    "OPC": 1,
    "QUERY_ERROR": 4,
    "QYE": 4,
    "DEVICE_DEPENDENT_ERROR": 8,
    "DDE": 8,
    "EXECUTION_ERROR": 16,
    "EXE": 16,
    "COMMAND_ERROR": 32,
    "CME": 32,
    "USER_REQUEST": 64,
    "URQ": 64,
    "POWER_ON": 128,
    "PON": 128,
}


def complete(status: Status) -> None:
    """Note that all that was told before is done: nothing overlaps here."""
    status.event_status |= OPERATION_COMPLETE


def request_services(status: Status, mask: float) -> None:
    """Choose the bits of the status byte that request service; ScpiError if it is no byte."""
    status.service_enable = _byte("request_enable", mask)


def enable_events(status: Status, mask: float) -> None:
    """Choose the standard events that reach the status byte; ScpiError if it is no byte."""
    status.event_enable = _byte("standard.enable", mask)


def status_tables(status: Status) -> dict[str, TspTable]:
    """Return `status` and `status.standard`, by which Lua reaches a status model."""

    def reset() -> None:
        status.service_enable = status.event_enable = 0
        status.preset()

    return {
        "status": TspTable(
            functions={"reset": reset},
            getters={
                "condition": status.byte,
                "request_enable": lambda: status.service_enable,
                "node_enable": lambda: status.service_enable,
            },
            setters={
                "request_enable": lambda mask: request_services(status, mask),
                "node_enable": lambda mask: request_services(status, mask),
            },
            constants=dict(_SUMMARIES),
        ),
        "status.standard": TspTable(
            getters={
                "event": status.take_event_status,
                "condition": lambda: status.event_status,
                "enable": lambda: status.event_enable,
            },
            setters={"enable": lambda mask: enable_events(status, mask)},
            constants=dict(_EVENTS),
        ),
    }


def common_settings(status: Status) -> dict[str, tuple[Callable[[], int], Callable[[float], None]]]:
    """Return how `*SRE` and `*ESE` are read and set."""
    return {
        "*SRE": (lambda: status.service_enable, lambda mask: request_services(status, mask)),
        "*ESE": (lambda: status.event_enable, lambda mask: enable_events(status, mask)),
    }


def _byte(name: str, mask: float) -> int:
    if not isinstance(mask, int | float) or not 0 <= mask <= _REGISTER or mask != int(mask):
        raise ScpiError(-222, f"status.{name} = {mask}")
    return int(mask)
