"""The errors of campaigns.

LabctlError (labctl_data)
├── PlanError               a plan file that cannot be read, or that contradicts itself
├── CampaignError           what cannot be done with a campaign as it stands
│   └── CampaignBusyError   a campaign that another process is carrying out
└── NotificationError       a message that could not be sent; it tells no secret
"""

from __future__ import annotations

from labctl_data.errors import LabctlError, TomlFileError


class PlanError(TomlFileError):
    """A plan file cannot be read, or contradicts itself."""


class CampaignError(LabctlError, ValueError):
    """A campaign is not there, has ended, or is another one than was asked for."""


class CampaignBusyError(CampaignError):
    """Another process is carrying out the campaign."""


class NotificationError(LabctlError):
    """A message could not be sent."""
