"""The meters that stand in a parsed template; `metering` puts them there.

They are on the path of every loop and every text, so each charges by itself, without a call of `spend`.
"""

import operator
from collections.abc import Callable
from typing import Any, Final, cast

from jinja2 import pass_context
from jinja2.runtime import Context

from hfgen.prompts.allowance import current, measure, weight
from hfgen.prompts.bounded_calls import checked_operation

_STEP_OF_SEARCH: Final = 8


@pass_context
def charge(context: Context, units: int) -> None:
    """One turn of a body. The context is taken only so that the call is never folded into a constant."""
    del context
    allowance = current()
    allowance.left -= units
    if allowance.left < 0:
        allowance.settle()


def printed(value: Any) -> Any:
    """What is printed passes here, and what is looked through."""
    if type(value) is not str:
        measure(value)
        return value
    allowance = current()
    allowance.left -= len(value) if value.isascii() else 4 * len(value)
    if allowance.left < 0:
        allowance.settle()
    return value


def measured(value: Any) -> Any:
    """What is hashed, compared or put into a container; a text costs nothing there that it has not cost before."""
    if type(value) is not str:
        measure(value)
    return value


def added(*operands: Any) -> Any:
    """`a + b + c …`, from the left; texts are charged and joined at once."""
    size = 0
    for operand in operands:
        if type(operand) is not str:
            return _added_by_two(operands)
        size += len(operand) if operand.isascii() else 4 * len(operand)
    allowance = current()
    allowance.left -= size
    if allowance.left < 0:
        allowance.settle()
    return "".join(operands)


def _added_by_two(operands: tuple[Any, ...]) -> Any:
    total, *rest = operands
    for operand in rest:
        checked_operation("+", total, operand)
        total = total + operand
    return total


def _comparing(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compared(left: Any, right: Any) -> Any:
        if type(left) is str and type(right) is str:
            allowance = current()
            allowance.left -= len(right)
            if allowance.left < 0:
                allowance.settle()
        elif type(left) is not str and type(right) is not str:
            # Two containers that share their parts can take for ever to compare.
            measure(left)
            measure(right)
        return compare(left, right)

    return compared


def _searching(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def searched(left: Any, right: Any) -> bool:
        if type(left) is str:
            if not isinstance(right, dict):
                allowance = current()
                allowance.left -= _search(left, right)
                if allowance.left < 0:
                    allowance.settle()
        else:
            measure(left)
            measure(right)
        return holds(left, right)

    return searched


def _search(text: str, where: object) -> int:
    """What it takes to look for a text."""
    if isinstance(where, str):
        return len(where)
    if isinstance(where, (list, tuple)):
        return len(cast("list[object]", where)) * (_STEP_OF_SEARCH + weight(text))
    return measure(where)


COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "eq": _comparing(operator.eq),
    "ne": _comparing(operator.ne),
    "gt": _comparing(operator.gt),
    "gteq": _comparing(operator.ge),
    "lt": _comparing(operator.lt),
    "lteq": _comparing(operator.le),
    "in": _searching(lambda left, right: left in right),
    "notin": _searching(lambda left, right: left not in right),
}
"""By the names that jinja2 gives the operators."""
