"""What users may import: these names, no more and no less."""

import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest

import hfgen
from hfgen import errors

THE_WAIST = {"AsyncGeneratorProvider", "HuggingFaceInference", "ProviderModelMixin", "Session"}
MESSAGES = {"Message", "Messages"}
EVENTS = {
    "Event",
    "FinishReason",
    "ImageResponse",
    "Logprobs",
    "Media",
    "Progress",
    "Reasoning",
    "Resumed",
    "TokenLogprob",
    "ToolCallDelta",
    "Usage",
}
ERRORS = {
    name
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.HfgenError) and not name.startswith("_")
}


def test_the_public_names_are_the_waist_the_messages_the_events_and_every_error() -> None:
    assert set(hfgen.__all__) == THE_WAIST | MESSAGES | EVENTS | ERRORS | {"__version__"}
    assert len(hfgen.__all__) == len(set(hfgen.__all__))


@pytest.mark.parametrize("name", sorted(hfgen.__all__))
def test_each_public_name_is_what_its_own_module_calls_so(name: str) -> None:
    value = getattr(hfgen, name)

    assert value is not None
    if inspect.isclass(value):
        assert value.__name__ == name
        assert value.__module__.partition(".")[0] == "hfgen"


def test_all_of_them_come_with_a_star_into_a_fresh_interpreter() -> None:
    program = "from hfgen import *; import hfgen; assert set(hfgen.__all__) <= set(globals()) | {'__version__'}"

    subprocess.run([sys.executable, "-c", program], check=True)


def test_dir_shows_them() -> None:
    assert dir(hfgen) == sorted(hfgen.__all__)


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="module 'hfgen' has no attribute 'Client'"):
        hfgen.Client  # noqa: B018 - reading it is the test


def test_the_version_is_the_one_of_the_installed_package() -> None:
    assert hfgen.__version__ == version("hfgen")
