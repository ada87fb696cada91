"""A file of ours is given other bytes in one step."""

import errno
import subprocess
import sys
from pathlib import Path

from hfgen.saving import replace_own, save_in


def test_a_file_of_ours_is_rewritten_in_one_step(tmp_path: Path) -> None:
    file = save_in(tmp_path, "fox", ".json", b"{}")
    replace_own(file, b'{"attempts": 2}')
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("fox.json", b'{"attempts": 2}')]


def test_a_disk_that_is_full_leaves_the_old_bytes_and_nothing_else(tmp_path: Path) -> None:
    file = save_in(tmp_path, "fox", ".json", b"{}")
    program = """if True:
        import resource, signal, sys
        from pathlib import Path
        from hfgen.saving import replace_own
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
        try:
            replace_own(Path(sys.argv[1]), b"x" * 1000)
        except OSError as error:
            sys.exit(error.errno)
    """
    done = subprocess.run([sys.executable, "-c", program, str(file)], check=False)
    assert done.returncode == errno.EFBIG
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("fox.json", b"{}")]
