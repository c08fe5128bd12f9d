from collections.abc import Callable, Mapping
from typing import Any

class LuaRuntime:
    def __init__(
        self,
        unpack_returned_tuples: bool = ...,
        *,
        encoding: str | None = ...,
        attribute_filter: Callable[[object, object, bool], object] | None = ...,
        register_eval: bool = ...,
        register_builtins: bool = ...,
        max_memory: int | None = ...,
    ) -> None: ...
    def execute(self, lua_code: str, *args: object) -> Any: ...
    def eval(self, lua_code: str, *args: object) -> Any: ...
    def table_from(self, *args: Mapping[Any, Any]) -> Any: ...
    def globals(self) -> Any: ...
