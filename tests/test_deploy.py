"""The files to run the gateway by, as far as a machine without Docker can read them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLACE = Path(__file__).parents[1] / "deploy"


@pytest.fixture(scope="module", autouse=True)
def place() -> None:
    if not PLACE.is_dir():
        pytest.skip("deploy/ is no part of the wheel")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "hfgen.service"
    unit.write_text((PLACE / "hfgen.service").read_text().replace("/opt/hfgen/bin/hfgen", "/bin/true"))
    told = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx on this machine")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "nginx.conf"
    config.write_text(re.sub(r"gateway-\d:8000", "127.0.0.1:9", (PLACE / "nginx.conf").read_text()))
    told = subprocess.run(
        ["nginx", "-t", "-c", str(config), "-g", f"pid {tmp_path}/pid;"], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("file", ["Dockerfile", "hfgen.service", "compose.yaml"])
def test_every_flag_that_they_name_exists(file: str) -> None:
    text = (PLACE / file).read_text()
    serve = re.findall(r"ExecStart=.*|ENTRYPOINT .*|command: \[\"--.*", text)
    flags = {flag for line in serve for flag in re.findall(r"--[a-z-]+", line)}
    helps = subprocess.run(
        [sys.executable, "-m", "hfgen", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert not {flag for flag in flags if f"{flag} " not in helps}
