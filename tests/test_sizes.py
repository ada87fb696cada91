"""A module fits on a few screens, a function on one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hfgen

PACKAGE = Path(hfgen.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_MODULE = 300
LONGEST_FUNCTION = 50


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Each function and the lines of its body; its signature and docstring are for the reader, not the machine."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            yield node.name, (node.end_lineno or node.lineno) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.relative_to(PACKAGE).as_posix())
def test_a_module_and_its_functions_are_short(module: Path) -> None:
    source = module.read_text(encoding="utf-8")

    assert len(source.splitlines()) <= LONGEST_MODULE
    assert {name: lines for name, lines in functions(source) if lines > LONGEST_FUNCTION} == {}


def test_functions_are_measured_wherever_they_stand() -> None:
    source = (
        "class A:\n    @property\n    def b(self):\n        async def c():\n            return 1\n        return c\n"
    )

    assert dict(functions(source)) == {"b": 3, "c": 1}
