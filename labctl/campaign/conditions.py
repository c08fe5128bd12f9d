"""Conditions on results: `write.converged > 0.95 and max(sweep.current_max) < 1e-4`.

A small part of Python's expressions, read by Python's own parser and evaluated here: comparisons,
`and`, `or`, `not`, numbers, texts, `job.fact`, and `min`, `max`, `mean` of a fact where a job is
several. Nothing is called and nothing else can be reached.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Sequence[Mapping[str, Any]]]
"""What each instance of each job came to, by the job's name."""

_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_SUMS: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
}
_LONGEST = 1000


class UnknownFact(Exception):  # noqa: N818  (it is an answer)
    """A condition needs a fact that is not there."""


@dataclass(frozen=True)
class Condition:
    """A condition that has been read."""

    text: str
    """As written."""
    tree: ast.expr
    """Its parts."""

    @property
    def jobs(self) -> frozenset[str]:
        """Names of the jobs whose results it needs."""
        return frozenset(name for name, _, _ in self.facts())

    def facts(self) -> Iterator[tuple[str, str, bool]]:
        """Yield job, fact, and whether it is summed over the job's instances."""
        summed = {id(node.args[0]) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                yield node.value.id, node.attr, id(node) in summed

    def holds(self, facts: Facts) -> bool:
        """Return whether it is true.

        Raises
        ------
        UnknownFact
            If a fact is not there, or cannot be compared: the text says which.
        """
        return bool(_value(self.tree, facts))


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Raises
    ------
    ValueError
        If it is none.
    """
    if len(text) > _LONGEST:
        raise ValueError("a condition is not that long")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"'{text}' is no condition like write.converged > 0.95") from error
    _refuse_foreign(tree, text)
    return Condition(text, tree)


def _refuse_foreign(tree: ast.expr, text: str) -> None:
    for node in ast.walk(tree):
        if not _is_known(node):
            found = type(node).__name__
            raise ValueError(f"'{text}': a condition knows no {found}; see docs/campaigns.md")


def _is_known(node: ast.AST) -> bool:
    match node:
        case ast.BoolOp() | ast.Compare() | ast.And() | ast.Or() | ast.Not() | ast.USub():
            return True
        case ast.cmpop():
            return type(node) in _COMPARISONS
        case ast.UnaryOp(op=ast.Not()) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return True
        case ast.Constant(value=float() | int() | str()):
            return True
        case ast.Attribute(value=ast.Name()) | ast.Name() | ast.Load():
            return True
        case ast.Call(func=ast.Name(id=name), args=[ast.Attribute()], keywords=[]):
            return name in _SUMS
    return False


def _value(node: ast.expr, facts: Facts) -> Any:  # noqa: ANN401  (a number, text or truth)
    match node:
        case ast.BoolOp() | ast.UnaryOp() | ast.Compare():
            return _truth(node, facts)
        case ast.Constant():
            return node.value
        case ast.Call(func=ast.Name(id=name), args=[ast.Attribute() as fact]):
            return _SUMS[name](_instances(fact, facts))
        case ast.Attribute():
            return _only(_instances(node, facts), node)
    raise UnknownFact(f"'{ast.unparse(node)}' is no fact of a job")


def _truth(node: ast.BoolOp | ast.UnaryOp | ast.Compare, facts: Facts) -> Any:  # noqa: ANN401
    match node:
        case ast.BoolOp(op=ast.And()):
            return all(_value(each, facts) for each in node.values)
        case ast.BoolOp():
            return any(_value(each, facts) for each in node.values)
        case ast.UnaryOp(op=ast.Not()):
            return not _value(node.operand, facts)
        case ast.UnaryOp():
            return -_value(node.operand, facts)
    return _compared(node, facts)


def _compared(node: ast.Compare, facts: Facts) -> bool:
    left = _value(node.left, facts)
    for comparison, right_node in zip(node.ops, node.comparators, strict=True):
        right = _value(right_node, facts)
        try:
            if not _COMPARISONS[type(comparison)](left, right):
                return False
        except TypeError as error:
            raise UnknownFact(f"{left!r} and {right!r} cannot be compared") from error
        left = right
    return True


def _instances(node: ast.Attribute, facts: Facts) -> list[Any]:
    job = ast.unparse(node.value)
    values = [each.get(node.attr) for each in facts.get(job, ())]
    if not values or any(value is None for value in values):
        raise UnknownFact(f"{job}.{node.attr} is not known")
    return values


def _only(values: Sequence[Any], node: ast.Attribute) -> Any:  # noqa: ANN401
    if len(values) > 1:
        raise UnknownFact(f"{ast.unparse(node)} has {len(values)} values: take min, max or mean")
    return values[0]
