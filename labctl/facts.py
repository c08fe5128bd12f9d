"""Facts about runs and chips, as people read them: short, with units and prefixes."""

from __future__ import annotations

from collections.abc import Mapping

from labctl_procedures.quantities import format_quantity

_SHORT = 4
_DIGITS = 4
_UNITS = {
    **dict.fromkeys(
        ("time", "wall_time", "after", "seconds", "duration", "elapsed", "asked_at"), "s"
    ),
    **dict.fromkeys(("target", "conductance", "pitch", "error_std", "programming_error"), "S"),
    **dict.fromkeys(("first_mean", "first_std", "last_mean", "last_std"), "S"),
    **dict.fromkeys(("drift_mean", "drift_std", "g_min", "g_max"), "S"),
    **dict.fromkeys(("current", "current_max", "current_min", "lsb"), "A"),
    "voltage": "V",
    "energy": "J",
    "file_size": "B",
}
"""SI unit of each fact that has one, by its name."""
_SHARES = ("converged", "fraction", "separate", "within_", "accuracy", "error_std_relative")
"""How the names of facts begin that are shares of one."""
_IN_CODES = {"error_mean", "error_std"}
"""Facts of sums, which go together, in ADC codes; the error of a write has no mean."""


def readable(value: object, name: str = "") -> str:
    """Return a fact in words, with the unit and the prefix its name calls for.

    Parameters
    ----------
    value : bool, int, float, str, list, dict or None
        The fact, as JSON holds it.
    name : str
        Its name.
    """
    if value is None:
        return "not measured" if name.startswith("accuracy_") else "not told"
    if isinstance(value, list):
        between = "; " if any(isinstance(item, Mapping) for item in value) else ", "
        return between.join(readable(item, name) for item in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {fact}" for key, fact in readable_facts(value).items())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return _number(value, name)


def readable_facts(facts: Mapping[str, object]) -> dict[str, str]:
    """Return facts in words, by name."""
    codes = _IN_CODES if facts.keys() >= _IN_CODES else set()
    return {
        str(name): f"{readable(value)} codes" if name in codes else readable(value, str(name))
        for name, value in facts.items()
    }


def _number(value: float, name: str) -> str:
    if name in _UNITS:
        return format_quantity(value, _UNITS[name], digits=_DIGITS)
    if name.startswith(_SHARES):
        return f"{100 * value:.{_DIGITS}g} %"
    return str(value) if isinstance(value, int) else f"{value:.{_DIGITS}g}"


def brief(facts: Mapping[str, object]) -> dict[str, object]:
    """Return facts with long lists told by their length: for a glance."""
    return {
        name: f"{len(value)} entries" if isinstance(value, list) and len(value) > _SHORT else value
        for name, value in facts.items()
    }
