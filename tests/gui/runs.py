"""Runs that these tests start, short and long, and what the board says of its outputs."""

from __future__ import annotations

from labctl_gui.state.session import Session

SMALL_WRITE = {"cells": "0/:/:", "levels": "4", "after": ""}
LONG_WRITE = {"cells": "0/:/:", "levels": "32", "window": "2 nS", "limit": "100000"}
"""A window this narrow is hardly ever met: it would go on for minutes."""


def board_outputs(session: Session) -> tuple[str, ...]:
    """What the board itself says is on."""
    return session.station._station._board.outputs_on()
