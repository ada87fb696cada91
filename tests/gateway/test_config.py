"""`hfgen.toml`: names with routes behind them, and flags that need not be typed."""

import subprocess
import sys
from pathlib import Path

import pytest

from hfgen.errors import UsageError
from hfgen.gateway.config import Config, find, load

FLAGS = ("port", "api-base", "max-tokens")


def written(folder: Path, text: str) -> Path:
    file = folder / "hfgen.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_name_has_routes_and_settings_go_by_their_flags(tmp_path: Path) -> None:
    file = written(tmp_path, 'models.fast = ["local", "me/m:fireworks-ai"]\nmodels.one = "local"\n[server]\nport = 9\n')
    assert load(file, FLAGS) == Config({"fast": ("local", "me/m:fireworks-ai"), "one": ("local",)}, {"port": 9})


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[sever]\n", "sever is not known", "Did you mean 'server'?"),
        ("[server]\nmax_token = 3\n", "server.max_token is not known", "Did you mean 'max-tokens'?"),
        ("[server]\nxyz = 3\n", "server.xyz is not known", "There is: api-base, max-tokens, port."),
        ("server = 3\n", "server is no table", "[server]"),
        ("[models]\nfast = []\n", "models.fast names no routes", "local"),
        ("[models]\nfast = [3]\n", "models.fast names no routes", "local"),
        ("[models\n", "is no TOML", ""),
    ],
)
def test_what_it_cannot_mean_is_an_error_that_names_the_place(tmp_path: Path, text: str, said: str, hint: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        load(file, FLAGS)
    assert refused.value.message.startswith(str(file))
    assert said in refused.value.message
    assert hint in (refused.value.hint or "")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.toml", FLAGS)


def test_the_file_given_goes_before_the_one_here_and_that_before_the_environment_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find(None) is None
    monkeypatch.setenv("HFGEN_CONFIG", "/etc/hfgen.toml")
    assert find(None) == Path("/etc/hfgen.toml")
    written(tmp_path, "")
    assert find(None) == Path("hfgen.toml")
    assert find("other.toml") == Path("other.toml")


def test_serve_takes_its_settings_from_the_file_and_what_is_typed_wins(tmp_path: Path) -> None:
    file = written(tmp_path, '[server]\nhost = "0.0.0.0"\nport = 0\nallow-host = "me.example"\nmax-tokens = "many"\n')

    def complaint(*words: str) -> str:
        command = [sys.executable, "-m", "hfgen", "serve", "--config", str(file), *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        return done.stderr

    assert "'--max-tokens': 'many' is not a valid integer" in complaint()
    assert "0.0.0.0 can be reached by others" in complaint("--max-tokens", "3")
