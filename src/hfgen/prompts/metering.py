"""Meters put into a parsed template: its loops and bodies are counted, its long looks are charged."""

from collections.abc import Iterator
from typing import Any, Final, cast

from jinja2 import Environment, nodes

from hfgen.prompts.allowance import STEP

# Names of filters that no template can spell.
CHARGE: Final = "hfgen charge"
METERED: Final = "hfgen metered"
MEASURED: Final = "hfgen measured"


def metered(template: nodes.Template, environment: Environment) -> nodes.Template:
    """The template with its meters; what it renders is the same."""
    for node in list(template.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block))):
        _count(node, environment)
    for compare in list(template.find_all(nodes.Compare)):
        _measure_operands(compare)
    for concat in list(template.find_all(nodes.Concat)):
        concat.nodes = [_through(METERED, part) for part in concat.nodes]
    for item in list(template.find_all(nodes.Getitem)):
        if isinstance(item.arg, nodes.Slice):
            item.node = _through(METERED, item.node)
        else:
            item.arg = _through(MEASURED, item.arg)
    _measure_containers(template)
    return template


def _count(node: nodes.Node, environment: Environment) -> None:
    """Each turn of a body costs a step, and the text that stands in it: it is collected before it is printed."""
    body = cast("list[nodes.Node]", cast("Any", node).body)
    units = STEP + sum(_literal(child) for child in body)
    charge = _filter(CHARGE, nodes.Const(units, lineno=node.lineno, environment=environment))
    body.insert(0, nodes.ExprStmt(charge, lineno=node.lineno, environment=environment))
    if isinstance(node, nodes.For) and node.test is not None:
        # What the condition leaves out is looked at too: `charge` is None, so `not charge` goes on to the condition.
        step = _filter(CHARGE, nodes.Const(STEP, lineno=node.lineno, environment=environment))
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


def _measure_operands(compare: nodes.Compare) -> None:
    """Two containers that share their parts can take for ever to compare; a constant on one side ends it at once."""
    left_constant = isinstance(compare.expr, nodes.Const)
    for operand in compare.ops:
        within = operand.op in {"in", "notin"}
        if isinstance(operand.expr, nodes.Const) or (left_constant and not within):
            continue
        operand.expr = _through(METERED if left_constant else MEASURED, operand.expr)
        if not left_constant:
            compare.expr = _through(MEASURED, compare.expr)


def _measure_containers(template: nodes.Template) -> None:
    for sequence in list(template.find_all(nodes.List)):
        sequence.items = [_through(MEASURED, item) for item in sequence.items]
    for group in list(template.find_all(nodes.Tuple)):
        if group.ctx == "load":
            group.items = [_through(MEASURED, item) for item in group.items]
    for pair in list(template.find_all(nodes.Pair)):
        pair.key, pair.value = _through(MEASURED, pair.key), _through(MEASURED, pair.value)


def _through(name: str, expression: nodes.Expr) -> nodes.Expr:
    if isinstance(expression, (nodes.Const, nodes.TemplateData)):
        return expression
    return _filter(name, expression)


def _filter(name: str, expression: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(
        expression, name, [], [], None, None, lineno=expression.lineno, environment=expression.environment
    )
