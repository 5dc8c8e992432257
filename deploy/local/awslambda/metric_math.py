"""Metric math: arithmetic, comparisons, ``FILL(e, 0)``, ``IF(i > 9, e / i, 0)``.

An expression with anything else is refused when it is parsed, so an accepted alarm works.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

Values: TypeAlias = Mapping[str, float | None]
"""The value of each metric in one period, by id; None where the metric has no data."""

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
    """An expression with something that is not emulated here."""


@dataclass(frozen=True)
class MathExpression:
    """A parsed expression."""

    text: str
    tree: ast.expr

    @classmethod
    def parse(cls, text: str) -> MathExpression:
        """Parse an expression, or raise :class:`UnsupportedExpressionError`."""
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            raise UnsupportedExpressionError(f"cannot read the expression {text!r}") from None
        _check_node(tree)
        return cls(text, tree)

    def names(self) -> set[str]:
        """Return the ids that the expression refers to."""
        called = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        return {
            node.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and id(node) not in called
        }

    def value(self, values: Values) -> float | None:
        """Compute the value in one period; None also for a division by zero."""
        return _evaluate(self.tree, values)


def _check_node(node: ast.expr) -> None:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float()) | ast.Name():
            return
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
            _check_node(left)
            _check_node(right)
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check_node(operand)
            return
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _COMPARISONS:
            _check_node(left)
            _check_node(right)
            return
        case (
            ast.Call(func=ast.Name(id="FILL"), args=[_, _] as inner, keywords=[])
            | ast.Call(func=ast.Name(id="IF"), args=[_, _, _] as inner, keywords=[])
        ):
            for argument in inner:
                _check_node(argument)
            return
        case _:
            pass
    raise UnsupportedExpressionError(
        f"the expression holds {ast.unparse(node)!r}, which is not emulated here"
    )


def _evaluate(node: ast.expr, values: Values) -> float | None:  # noqa: PLR0911 - one for each kind
    match node:
        case ast.Constant(value=number):
            return float(number)  # type: ignore[arg-type]  # `_check_node` admits numbers only
        case ast.Name(id=name):
            return values.get(name)
        case ast.UnaryOp(operand=operand):
            inner = _evaluate(operand, values)
            return None if inner is None else -inner
        case ast.Call(func=ast.Name(id="FILL"), args=[metric, filling]):
            found = _evaluate(metric, values)
            return _evaluate(filling, values) if found is None else found
        case ast.Call(args=[condition, then, otherwise]):
            holds = _evaluate(condition, values)
            return None if holds is None else _evaluate(then if holds else otherwise, values)
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            one, other = _evaluate(left, values), _evaluate(right, values)
            return (
                None
                if one is None or other is None
                else float(_COMPARISONS[type(comparison)](one, other))
            )
        case ast.BinOp(left=left, op=sign, right=right):
            one, other = _evaluate(left, values), _evaluate(right, values)
            if one is None or other is None:
                return None
            try:
                return _ARITHMETIC[type(sign)](one, other)
            except ArithmeticError:
                return None
        case _:
            raise AssertionError(node)
