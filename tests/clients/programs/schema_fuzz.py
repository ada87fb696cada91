"""schemathesis over the gateway's own description: nothing that it thinks of is a 5xx."""

import subprocess
import sys
from pathlib import Path

from checking import GATEWAY, KEY, check, run


@check
def no_request_is_a_server_error():
    words = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{GATEWAY}/openapi.json"]
    words += ["-H", f"Authorization: Bearer {KEY}", "--checks", "not_a_server_error", "--max-examples", "60"]
    words += ["--phases", "fuzzing", "--max-time", "25", "--workers", "2", "--no-color", "--request-timeout", "20"]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=80)
    told = done.stdout.splitlines()
    print("\n".join(f"        {line}" for line in told[-14:] if line.strip()))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


run()
