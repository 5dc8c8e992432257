"""Metric math, as far as a release needs it: ``e / i * 100``, ``FILL(e, 0)``, ``IF(i > 10, e / i, 0)``.

An expression is read once and refused at once when it holds anything else: an alarm that was accepted is an alarm that works.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

Values: TypeAlias = Mapping[str, float | None]
"""One period's value of each metric by its id; None where the metric has no data in the period."""

_ARITHMETIC: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.BitXor: operator.pow,  # CloudWatch writes powers with ^
}
_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[float, float], bool]]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class UnsupportedExpressionError(ValueError):
    """An expression beyond what is emulated here."""


@dataclass(frozen=True)
class Expression:
    """An expression that can be evaluated."""

    text: str
    tree: ast.expr

    @classmethod
    def read(cls, text: str) -> Expression:
        """Understand an expression, or raise :class:`UnsupportedExpressionError`."""
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            raise UnsupportedExpressionError(f"cannot read the expression {text!r}") from None
        _check(tree)
        return cls(text, tree)

    def names(self) -> set[str]:
        """The ids it refers to."""
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        return {
            node.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and id(node) not in called
        }

    def value(self, values: Values) -> float | None:
        """Its value in one period; None where there is none, as for a division by zero."""
        return _value(self.tree, values)


def _check(node: ast.expr) -> None:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float()) | ast.Name():
            return
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
            _check(left)
            _check(right)
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand)
            return
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _COMPARISONS:
            _check(left)
            _check(right)
            return
        case (
            ast.Call(func=ast.Name(id="FILL"), args=[_, _] as inner, keywords=[])
            | ast.Call(func=ast.Name(id="IF"), args=[_, _, _] as inner, keywords=[])
        ):
            for argument in inner:
                _check(argument)
            return
        case _:
            pass
    raise UnsupportedExpressionError(
        f"the expression holds {ast.unparse(node)!r}, which is not emulated here"
    )


def _value(node: ast.expr, values: Values) -> float | None:  # noqa: PLR0911 - one for each kind of expression
    match node:
        case ast.Constant(value=number):
            return float(number)  # type: ignore[arg-type]  # `read` admits numbers only
        case ast.Name(id=name):
            return values.get(name)
        case ast.UnaryOp(operand=operand):
            inner = _value(operand, values)
            return None if inner is None else -inner
        case ast.Call(func=ast.Name(id="FILL"), args=[metric, filling]):
            found = _value(metric, values)
            return _value(filling, values) if found is None else found
        case ast.Call(args=[condition, then, otherwise]):
            holds = _value(condition, values)
            return None if holds is None else _value(then if holds else otherwise, values)
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            one, other = _value(left, values), _value(right, values)
            return (
                None
                if one is None or other is None
                else float(_COMPARISONS[type(comparison)](one, other))
            )
        case ast.BinOp(left=left, op=sign, right=right):
            one, other = _value(left, values), _value(right, values)
            if one is None or other is None:
                return None
            try:
                return _ARITHMETIC[type(sign)](one, other)
            except ArithmeticError:
                return None
        case _:
            raise AssertionError(node)
