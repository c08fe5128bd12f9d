"""What all tables of a bench file have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]


class Table(BaseModel):
    """A table of a bench file: no key beyond those named, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
