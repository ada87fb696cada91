"""Meters put into a parsed template: its loops and bodies are counted, its long looks are charged."""

from collections.abc import Iterator
from typing import Any, Final, cast

from jinja2 import Environment, nodes

from hfgen.prompts import meters
from hfgen.prompts.allowance import STEP, spend, too_costly

# Names of filters that no template can spell.
_CHARGE: Final = "hfgen charge"
_PRINTED: Final = "hfgen printed"
_MEASURED: Final = "hfgen measured"
_ADDED: Final = "hfgen added"
_COMPARED: Final = "hfgen compared "
METERS: Final = {
    _CHARGE: meters.charge,
    _PRINTED: meters.printed,
    _MEASURED: meters.measured,
    _ADDED: meters.added,
    **{_COMPARED + name: meter for name, meter in meters.COMPARISONS.items()},
}
# Python's own tokenizer gives up at 200 open brackets, and jinja2 writes one for every expression inside another;
# finding that out took the compiler seconds.
_DEEPEST: Final = 200


def metered(template: nodes.Template, environment: Environment) -> nodes.Template:
    """The template with its meters; what it renders is the same."""
    _check_depth(template)
    _check_keys(template)
    for node in list(template.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block))):
        _count(node, environment)
    for concat in list(template.find_all(nodes.Concat)):
        concat.nodes = [_through(_PRINTED, part) for part in concat.nodes]
    for item in list(template.find_all(nodes.Getitem)):
        if isinstance(item.arg, nodes.Slice):
            item.node = _through(_PRINTED, item.node)
        else:
            item.arg = _through(_MEASURED, item.arg)
    _measure_containers(template)
    _replace_operators(template)
    return template


def _check_depth(template: nodes.Template) -> None:
    waiting: list[tuple[nodes.Node, int]] = [(template, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _DEEPEST:
            raise too_costly("its expressions nest too deep")
        waiting.extend((child, depth + isinstance(child, nodes.Expr)) for child in node.iter_child_nodes())


def _check_keys(template: nodes.Template) -> None:
    """Numbers can be chosen so that all of them meet in one place of a dict, which then takes their square to build."""
    for mapping in template.find_all(nodes.Dict):
        numbers = sum(1 for pair in mapping.items if not _is_text(pair.key))
        spend(numbers * numbers)


def _is_text(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _count(node: nodes.Node, environment: Environment) -> None:
    """Each turn of a body costs a step, and the text that stands in it: it is collected before it is printed."""
    body = cast("list[nodes.Node]", cast("Any", node).body)
    units = STEP + sum(_literal(child) for child in body)
    charge = _filter(_CHARGE, nodes.Const(units, lineno=node.lineno, environment=environment))
    body.insert(0, nodes.ExprStmt(charge, lineno=node.lineno, environment=environment))
    if isinstance(node, nodes.For) and node.test is not None:
        # What the condition leaves out is looked at too: `charge` is None, so `not charge` goes on to the condition.
        step = _filter(_CHARGE, nodes.Const(STEP, lineno=node.lineno, environment=environment))
        node.test = nodes.And(
            nodes.Not(step, lineno=node.lineno, environment=environment),
            node.test,
            lineno=node.lineno,
            environment=environment,
        )


def _literal(node: nodes.Node) -> int:
    found: Iterator[nodes.TemplateData | nodes.Const] = node.find_all((nodes.TemplateData, nodes.Const))
    size = sum(len(part.data) if isinstance(part, nodes.TemplateData) else _const(part) for part in found)
    return size + (len(node.data) if isinstance(node, nodes.TemplateData) else 0)


def _const(node: nodes.Const) -> int:
    return len(node.value) if isinstance(node.value, str) else 0


def _measure_containers(template: nodes.Template) -> None:
    for sequence in list(template.find_all(nodes.List)):
        sequence.items = [_through(_MEASURED, item) for item in sequence.items]
    for group in list(template.find_all(nodes.Tuple)):
        if group.ctx == "load":
            group.items = [_through(_MEASURED, item) for item in group.items]
    for pair in list(template.find_all(nodes.Pair)):
        pair.key, pair.value = _through(_MEASURED, pair.key), _through(_MEASURED, pair.value)


def _replace_operators(node: nodes.Node) -> None:
    """Put one call in the place of each sum and comparison, from the inside out."""
    for field in node.fields:
        value: object = getattr(node, field, None)
        if isinstance(value, list):
            held = cast("list[object]", value)
            held[:] = [_replaced(child) if isinstance(child, nodes.Node) else child for child in held]
        elif isinstance(value, nodes.Node):
            setattr(node, field, _replaced(value))


def _replaced(node: nodes.Node) -> nodes.Node:
    _replace_operators(node)
    if isinstance(node, nodes.Add):
        return _sum(node)
    if isinstance(node, nodes.Compare):
        return _comparison(node)
    return node


def _sum(node: nodes.Add) -> nodes.Expr:
    """`a + b + c` as one call; what could refuse the conversation is not called before the sum on its left is made."""
    left = node.left
    if isinstance(left, nodes.Filter) and left.name == _ADDED and not _calls(node.right):
        left.args.append(node.right)
        return left
    return _filter(_ADDED, left, node.right)


def _calls(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Call) or node.find(nodes.Call) is not None


def _comparison(node: nodes.Compare) -> nodes.Expr:
    """`a == b` as one call; of `a < b < c` each operand is measured, as it is not certain which are compared."""
    if len(node.ops) > 1:
        node.expr = _through(_MEASURED, node.expr)
        for operand in node.ops:
            operand.expr = _through(_PRINTED, operand.expr)
        return node
    (operand,) = node.ops
    if operand.op not in {"in", "notin"} and (_is_const(node.expr) or _is_const(operand.expr)):
        return node  # a constant ends the comparison soon
    return _filter(_COMPARED + operand.op, node.expr, operand.expr)


def _is_const(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.Const)


def _through(name: str, expression: nodes.Expr) -> nodes.Expr:
    if isinstance(expression, (nodes.Const, nodes.TemplateData)):
        return expression
    return _filter(name, expression)


def _filter(name: str, expression: nodes.Expr, *more: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(
        expression, name, list(more), [], None, None, lineno=expression.lineno, environment=expression.environment
    )
