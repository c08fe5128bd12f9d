from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pymeasure.adapters import Adapter

class Instrument:
    adapter: Adapter
    name: str
    isShutdown: bool
    def __init__(
        self, adapter: Adapter | int | str, name: str, includeSCPI: bool | None = ..., **kwargs: Any
    ) -> None: ...
    # Properties are built at run time; annotate them where they are made.
    @staticmethod
    def control(
        get_command: str | None,
        set_command: str | None,
        docs: str,
        *,
        validator: Callable[[Any, Any], Any] = ...,
        values: Sequence[Any] | Mapping[Any, Any] = ...,
        map_values: bool = ...,
        get_process: Callable[[Any], Any] = ...,
        get_process_list: Callable[[list[Any]], Any] = ...,
        set_process: Callable[[Any], Any] = ...,
        check_set_errors: bool = ...,
        check_get_errors: bool = ...,
        preprocess_reply: Callable[[str], str] | None = ...,
        separator: str = ...,
        maxsplit: int = ...,
        cast: Callable[[str], Any] = ...,
    ) -> Any: ...
    @staticmethod
    def measurement(
        get_command: str,
        docs: str,
        *,
        values: Sequence[Any] | Mapping[Any, Any] = ...,
        map_values: bool = ...,
        get_process: Callable[[Any], Any] = ...,
        get_process_list: Callable[[list[Any]], Any] = ...,
        check_get_errors: bool = ...,
        preprocess_reply: Callable[[str], str] | None = ...,
        separator: str = ...,
        maxsplit: int = ...,
        cast: Callable[[str], Any] = ...,
    ) -> Any: ...
    @staticmethod
    def setting(
        set_command: str,
        docs: str,
        *,
        validator: Callable[[Any, Any], Any] = ...,
        values: Sequence[Any] | Mapping[Any, Any] = ...,
        map_values: bool = ...,
        set_process: Callable[[Any], Any] = ...,
        check_set_errors: bool = ...,
    ) -> Any: ...
    def write(self, command: str, **kwargs: Any) -> None: ...
    def write_bytes(self, content: bytes, **kwargs: Any) -> None: ...
    def read(self, **kwargs: Any) -> str: ...
    def read_bytes(self, count: int, **kwargs: Any) -> bytes: ...
    def ask(self, command: str, query_delay: float | None = ...) -> str: ...
    def wait_for(self, query_delay: float | None = ...) -> None: ...
    def values(
        self,
        command: str,
        separator: str = ...,
        cast: Callable[[str], Any] = ...,
        preprocess_reply: Callable[[str], str] | None = ...,
        maxsplit: int = ...,
        **kwargs: Any,
    ) -> list[Any]: ...
    def check_errors(self) -> list[Any]: ...
    def shutdown(self) -> None: ...

class SCPIMixin:
    id: str
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def clear(self) -> None: ...
    def reset(self) -> None: ...
    def check_errors(self) -> list[Any]: ...
