"""What the tests need of the machine they run on."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Say what is missing before pytest-qt stumbles over it."""
    try:
        import PyQt6.QtWidgets  # noqa: F401  (only whether it can be loaded)
    except ImportError as error:
        raise pytest.UsageError(
            f"Qt cannot be loaded ({error}). On Debian: apt-get install libegl1 libgl1 "
            "libxkbcommon0 libfontconfig1 libdbus-1-3 fonts-dejavu-core"
        ) from error
