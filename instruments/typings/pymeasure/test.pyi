from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from pymeasure.instruments import Instrument

_I = TypeVar("_I", bound=Instrument)

def expected_protocol(
    instrument_cls: type[_I],
    comm_pairs: Sequence[tuple[bytes | str | None, bytes | str | None]],
    connection_attributes: dict[str, Any] | None = ...,
    connection_methods: dict[str, Any] | None = ...,
    **kwargs: Any,
) -> AbstractContextManager[_I]: ...
