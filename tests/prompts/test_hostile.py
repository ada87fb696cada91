"""A template from a stranger's repository ends in time and within memory, in a process of the ordinary kind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bombs import MORE_BOMBS

HARMLESS = ("28_", "36_")  # no limit helps against a template that is merely unkind
# Of this program alone: `ru_maxrss` starts with the peak of the process that started it.
PEAK = """
import resource, sys
from pathlib import Path
def peak():
    if sys.platform == "linux":
        return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
"""
PROBE = f"""{PEAK}
import json, time
from hfgen.errors import PromptError
from hfgen.prompts import ChatTemplate
resource.setrlimit(resource.RLIMIT_CPU, (8, 8))
start = time.process_time()
try:
    outcome = ChatTemplate(sys.stdin.read(), dict(bos_token="<s>")).render([dict(role="user", content="Hi")])[:99]
except PromptError as error:
    outcome = type(error).__name__
print(json.dumps([outcome, time.process_time() - start, peak() / 1024]))
"""
BOMBS = {
    "a constant folded while compiling": "{{ ('a' * 10**10)|length }}",
    "one endless operation in C": "{{ 7 ** 300000000 }}",
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "nested loops that let nothing through": (
        "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}"
    ),
    "a macro that calls itself twice": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"
    ),
    "a text doubled by ~": (
        "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"
    ),
    "a text that replaces itself": (
        "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s = ns.s.replace('a', 'aa') %}{% endfor %}"
    ),
    "a width in a format": "{{ '{:>{w}}'.format('x', w=4000000000)|length }}",
    "a width for printf": "{{ '%*d' % (4000000000, 1) }}",
    "a width for a date": "{{ strftime_now('%4000000000d') }}",
    "bytes of a number": "{{ (1).to_bytes(4000000000, 'big')|length }}",
    "a flood kept in a macro": (
        "{% macro m() %}{% for a in range(99999) %}{% for b in range(9999) %}" + "x" * 99 + "{% endfor %}{% endfor %}"
        "{% endmacro %}{{ m() }}"
    ),
    "a list that holds itself twice": (
        "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}"
    ),
    "a key that is endless to hash": (
        "{% set ns = namespace(l=(1,)) %}{% for i in range(60) %}{% set ns.l = (ns.l, ns.l) %}{% endfor %}"
        "{{ {ns.l: 1} }}"
    ),
    "a long separator": "{{ range(99999)|batch(1)|map('join')|join('z' * 99999)|length }}",
    "sorting for ever": "{% for i in range(9999) %}{{ range(99999)|sort|length }}{% endfor %}",
    "slices of a long text": (
        "{% set s = 'ab' * 999999 %}{% for i in range(99999) %}{% set t = s[::-1] %}{% endfor %}"
    ),
    "parentheses": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "many small blocks": "{% if a %}b{% endif %}" * 22_000,
    "a huge source": "x" * 2_000_000,
}


def probe(source: str) -> tuple[str, float, float]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input=source, capture_output=True, text=True, timeout=60, check=True
    )
    outcome, seconds, megabytes = json.loads(done.stdout)
    return outcome, seconds, megabytes


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_too_costly(bomb: str) -> None:
    outcome, seconds, megabytes = probe(BOMBS[bomb])
    assert outcome == "TemplateTooCostly"
    assert seconds < 2
    assert megabytes < 200


MANY = f"""{PEAK}
import json, time
from hfgen.errors import PromptError
from hfgen.prompts import ChatTemplate
for name, source in json.load(sys.stdin).items():
    start = time.process_time()
    try:
        outcome = str(len(ChatTemplate(source, dict()).render([dict(role="user", content="Hi")])))
    except PromptError as error:
        outcome = type(error).__name__
    print(json.dumps([name, outcome, time.process_time() - start, peak()]))
"""


@pytest.mark.timeout(300)
def test_no_other_door_of_jinja2_is_open_either() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY], input=json.dumps(MORE_BOMBS), capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(MORE_BOMBS)
    for name, outcome, seconds, kilobytes in lines:
        assert outcome.isdigit() or outcome in {"TemplateTooCostly", "TemplateBroken"}, name
        assert seconds < 2, name
        assert kilobytes < 240_000, name  # the most of all before it; some 40,000 are the interpreter's


def test_every_recorded_hostile_template_ends_in_an_error(shared: Path) -> None:
    for path in sorted((shared / "templates" / "hostile").glob("*.jinja")):
        outcome, seconds, megabytes = probe(path.read_text("utf-8"))
        if not path.name.startswith(HARMLESS):
            assert outcome in {"TemplateTooCostly", "TemplateBroken"}, path.name
        assert seconds < 2, path.name
        assert megabytes < 200, path.name
