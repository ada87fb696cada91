"""`hfgen.toml`: names with routes behind them, and flags that need not be typed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfgen.errors import UsageError
from hfgen.gateway.config import Config, check_unnamed, find, here, load

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


def test_the_file_given_goes_before_the_environment_s_and_the_one_here_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (find(None), here()) == (None, None)
    written(tmp_path, "")
    assert (find(None), here()) == (None, Path("hfgen.toml"))
    monkeypatch.setenv("HFGEN_CONFIG", "/etc/hfgen.toml")
    assert find(None) == Path("/etc/hfgen.toml")
    assert find("other.toml") == Path("other.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[server]\napi-base = "http://evil.test"\n', "server.api-base may not be set"),
        ('[server]\nhost = "0.0.0.0"\n', "server.host may not be set"),
        ('[server]\nallow-origin = "https://evil.test"\n', "server.allow-origin may not be set"),
        ('[server]\nallow-host = "evil.test"\n', "server.allow-host may not be set"),
        ("[server]\npass-through-token = true\n", "server.pass-through-token may not be set"),
        ('[server]\napi-key-file = "key"\n', "server.api-key-file may not be set"),
        ('[server]\nshared-limits = "redis://evil.test"\n', "server.shared-limits may not be set"),
        ('[models]\nfast = ["local", "m@http://evil.test"]\n', "models.fast may not lead to a server of its own"),
        ('[models]\nfast = ["m@https://evil.test"]\n', "models.fast may not lead to a server of its own"),
    ],
)
def test_a_file_that_nobody_named_says_neither_where_tokens_go_nor_who_may_call(
    text: str, said: str, tmp_path: Path
) -> None:
    file = written(tmp_path, text)
    every = (*FLAGS, "host", "allow-origin", "allow-host", "pass-through-token", "api-key-file", "shared-limits")
    with pytest.raises(UsageError, match="was not named") as refused:
        check_unnamed(file, load(file, every))
    assert said in refused.value.message
    assert f"--config {file}" in refused.value.hint


def test_a_file_that_nobody_named_may_name_models_and_lower_limits(tmp_path: Path) -> None:
    file = written(tmp_path, 'models.fast = ["local", "me/m:fireworks-ai"]\n[server]\nport = 9\nmax-tokens = 3\n')
    check_unnamed(file, load(file, FLAGS))


@pytest.mark.skipif(os.name != "posix", reason="files have no owners here")
def test_a_file_that_others_may_write_is_not_taken_unnamed(tmp_path: Path) -> None:
    file = written(tmp_path, "")
    file.chmod(0o666)
    with pytest.raises(UsageError, match="not yours alone"):
        check_unnamed(file, load(file, FLAGS))


def test_serve_says_which_file_it_has_read_and_does_not_take_one_that_sends_tokens_elsewhere(tmp_path: Path) -> None:
    file = written(tmp_path, '[server]\napi-base = "http://127.0.0.1:9"\nhost = "0.0.0.0"\n')

    def serve(*words: str) -> str:
        command = [sys.executable, "-m", "hfgen", "serve", *words]
        env = {name: value for name, value in os.environ.items() if name != "HFGEN_API_KEY"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=env)
        assert done.returncode == 2
        return done.stderr

    assert "hfgen.toml lies in this folder and was not named" in serve()
    said = serve("--config", "hfgen.toml")
    assert f"settings are from {file}" in said
    assert "0.0.0.0 can be reached by others" in said


@pytest.mark.parametrize("url", ["ai.example.com", "ftp://x.example", "https://", "http://[", "https://x.example?y"])
def test_a_public_address_that_is_none_is_an_error(url: str) -> None:
    command = [sys.executable, "-m", "hfgen", "serve", "--port", "0", "--public-url", url]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "is no address" in done.stderr) == (2, True)


def test_serve_takes_its_settings_from_the_file_and_what_is_typed_wins(tmp_path: Path) -> None:
    file = written(tmp_path, '[server]\nhost = "0.0.0.0"\nport = 0\nallow-host = "me.example"\nmax-tokens = "many"\n')

    def complaint(*words: str) -> str:
        command = [sys.executable, "-m", "hfgen", "serve", "--config", str(file), *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        return done.stderr

    assert "'--max-tokens': 'many' is not a valid integer" in complaint()
    assert "0.0.0.0 can be reached by others" in complaint("--max-tokens", "3")
