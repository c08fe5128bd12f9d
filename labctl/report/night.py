"""The morning report: what a campaign came to, and what needs attention first."""

from __future__ import annotations

from pathlib import Path

from labctl.campaign.home import CampaignHome


def write_night(home: CampaignHome, path: Path) -> Path:
    """Draw the page of a campaign and write it."""
    path.write_text("", encoding="utf-8")
    return path
