import numpy.typing as npt
from PyQt6.QtGui import QColor

class ColorMap:
    BYTE: int
    def mapToQColor(self, data: float) -> QColor: ...
    def map(self, data: npt.ArrayLike, mode: object = ...) -> npt.NDArray[object]: ...  # type: ignore[type-var]
    def getLookupTable(
        self, start: float = ..., stop: float = ..., nPts: int = ...
    ) -> npt.NDArray[object]: ...  # type: ignore[type-var]

def get(name: str, source: str | None = ..., skipCache: bool = ...) -> ColorMap: ...
