from collections.abc import Sequence
from typing import Any

class Parameter:
    name: str
    default: Any
    description: str | None
    def __init__(
        self,
        name: str,
        default: Any = None,
        ui_class: type[Any] | None = None,
        group_by: Any = None,
        group_condition: Any = True,
        description: str | None = None,
    ) -> None: ...
    @property
    def value(self) -> Any: ...
    @value.setter
    def value(self, value: Any) -> None: ...
    def is_set(self) -> bool: ...
    def convert(self, value: Any) -> Any: ...

class IntegerParameter(Parameter):
    units: str | None
    minimum: int
    maximum: int
    def __init__(
        self,
        name: str,
        units: str | None = None,
        minimum: float = -1e9,
        maximum: float = 1e9,
        step: int | None = None,
        **kwargs: Any,
    ) -> None: ...

class BooleanParameter(Parameter): ...

class FloatParameter(Parameter):
    units: str | None
    minimum: float
    maximum: float
    decimals: int
    step: float | None
    def __init__(
        self,
        name: str,
        units: str | None = None,
        minimum: float = -1e9,
        maximum: float = 1e9,
        decimals: int = 15,
        step: float | None = None,
        **kwargs: Any,
    ) -> None: ...

class ListParameter(Parameter):
    units: str | None
    @property
    def choices(self) -> tuple[Any, ...]: ...
    def __init__(
        self,
        name: str,
        choices: Sequence[Any] | None = None,
        units: str | None = None,
        **kwargs: Any,
    ) -> None: ...
