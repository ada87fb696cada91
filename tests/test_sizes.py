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
    """Each function and its lines, from `def` to the last one; decorators are not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.relative_to(PACKAGE).as_posix())
def test_a_module_and_its_functions_are_short(module: Path) -> None:
    source = module.read_text(encoding="utf-8")

    assert len(source.splitlines()) <= LONGEST_MODULE
    assert {name: lines for name, lines in functions(source) if lines > LONGEST_FUNCTION} == {}


def test_functions_are_measured_wherever_they_stand() -> None:
    source = (
        "class A:\n    @property\n    def b(self):\n        async def c():\n            return 1\n        return c\n"
    )

    assert dict(functions(source)) == {"b": 4, "c": 2}
