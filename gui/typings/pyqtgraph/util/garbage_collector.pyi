from PyQt6.QtCore import QTimer

class GarbageCollector:
    timer: QTimer
    def __init__(self, interval: float = ..., debug: bool = ...) -> None: ...
