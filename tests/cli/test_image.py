"""`hfgen image`, as people and scripts use it: what lands on the disk, on stdout, on stderr, and how it ends."""

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from command_line import HFGEN, environment, hfgen, terminal
from hub_server import serving_hub
from loopback import Visit, serving
from pictures import huge_png, picture_of, png

TOKEN = "hf_" + "Secret0" * 5


class Painter:
    """Hugging Face's inference toolkit, as far as pictures go.

    With `waits` it paints, and paints, until one leaves; a seed that is in `waits_at` alone is painted so.
    """

    def __init__(self, *answers: bytes, waits: bool = False, waits_at: int = -1) -> None:
        self.answers = answers or (png(64, 48),)
        self.waits = waits
        self.waits_at = waits_at
        self.asked: list[dict[str, Any]] = []
        self.came = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        if visit.method == "GET":
            await visit.answer(b'"Ok"' if visit.path == "/health" else b"")
            return
        self.asked.append(json.loads(visit.body))
        self.came.set()
        if self.waits or self.asked[-1]["parameters"].get("seed") == self.waits_at:
            await visit.gone()
            self.gone.set()
            return
        await visit.answer(self.answers[(len(self.asked) - 1) % len(self.answers)], "image/png")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def opened(file: Path) -> PngImageFile:
    picture = Image.open(file)
    picture.load()
    assert isinstance(picture, PngImageFile)
    return picture


async def test_stdout_gets_the_path_and_nothing_else(tmp_path: Path) -> None:
    async with serving(Painter(png(64, 48))) as server:
        code, out, err = await hfgen("image", "--api-base", server.url, "--seed", "7", "--out", str(tmp_path), "A fox!")
    assert code == 0
    path = Path(out.removesuffix("\n"))
    assert (path.parent, path.name.rpartition("-")[0], path.suffix) == (tmp_path, "a-fox-7", ".png")
    assert opened(path).size == (64, 48)
    assert "64x48" in err
    assert "1 picture" in err


async def test_all_that_was_asked_reaches_the_server(tmp_path: Path) -> None:
    painter = Painter()
    async with serving(painter) as server:
        code, _, err = await hfgen(
            "image", "--api-base", server.url, "--out", str(tmp_path), "--seed", "7", "--width", "320",
            "--height", "256", "--negative-prompt", "dogs", "--steps", "4", "--guidance", "3.5", "--scheduler", "Euler",
            "-o", "extra_data", '{"quality": "high"}', "a fox",
        )  # fmt: skip
    assert (code, err.count("warning:"), "does not take scheduler: it is left out" in err) == (0, 1, True)
    asked = painter.asked[0]
    assert (asked["inputs"], asked["quality"]) == ("a fox", "high")
    assert asked["parameters"] == {
        "width": 320,
        "height": 256,
        "seed": 7,
        "negative_prompt": "dogs",
        "num_inference_steps": 4,
        "guidance_scale": 3.5,
    }


async def test_the_sidecar_and_the_png_say_what_made_it(tmp_path: Path) -> None:
    async with serving(Painter()) as server:
        _, out, _ = await hfgen(
            "image", "--api-base", server.url, "--out", str(tmp_path), "--seed", "7", "--negative-prompt", "dogs",
            "--steps", "4", "--guidance", "3.5", "--scheduler", "none-of-the-server-s",
            "-o", "extra_data", '{"quality": "high"}', "Ein Füchslein",
        )  # fmt: skip
    file = Path(out.strip())
    said = json.loads(file.with_suffix(".json").read_text())
    assert said["prompt"] == "Ein Füchslein"
    assert (said["negative_prompt"], said["seed"], said["steps"], said["guidance"]) == ("dogs", 7, 4, 3.5)
    assert said["scheduler"] is None  # it was left out, and made nothing
    assert (said["width"], said["height"], said["extra"], said["attempts"]) == (64, 48, {"quality": "high"}, 1)
    assert (said["file"], said["sha256"]) == (file.name, digest(file))
    assert server.url in said["server"]
    text = opened(file).text
    assert text["parameters"] == (
        "Ein Füchslein\nNegative prompt: dogs\nSteps: 4, CFG scale: 3.5, Seed: 7, Size: 64x48"
    )
    beside = {name: value for name, value in said.items() if name not in {"file", "sha256", "attempts"}}
    assert json.loads(text["hfgen"]) == beside


async def test_the_same_picture_twice_is_two_files(tmp_path: Path) -> None:
    async with serving(Painter()) as server:
        words = ("image", "--api-base", server.url, "--out", str(tmp_path), "--seed", "7", "a fox")
        await hfgen(*words)
        before = contents(tmp_path)
        _, out, _ = await hfgen(*words)
    assert out.strip().endswith("-2.png")
    after = contents(tmp_path)
    assert (len(before), len(after)) == (2, 4)
    assert before.items() <= after.items()


async def test_no_sidecar_is_no_sidecar(tmp_path: Path) -> None:
    async with serving(Painter()) as server:
        _, out, _ = await hfgen("image", "--api-base", server.url, "--out", str(tmp_path), "--no-sidecar", "a fox")
    assert names(tmp_path) == [Path(out.strip()).name]


async def test_a_jpeg_that_is_called_a_png_is_kept_as_what_it_is_to_the_byte(tmp_path: Path) -> None:
    data = picture_of("JPEG")
    async with serving(Painter(data)) as server:
        _, out, _ = await hfgen("image", "--api-base", server.url, "--out", str(tmp_path), "a fox")
    assert out.strip().endswith(".jpg")
    assert contents(tmp_path)[Path(out.strip()).name] == data
    assert json.loads(Path(out.strip()).with_suffix(".json").read_text())["media_type"] == "image/jpeg"


async def test_no_token_is_written_anywhere(tmp_path: Path) -> None:
    """Not the key of the call, not one in the prompt, not one in extra data."""
    async with serving(Painter()) as server:
        code, out, err = await hfgen(
            "image", "--api-base", server.url, "--out", str(tmp_path), "--api-key", "my-own-key-42",
            "-o", "extra_data", '{"api_key": "tiny", "more": ["my-own-key-42"]}', f"a fox {TOKEN} my-own-key-42",
            HF_TOKEN=TOKEN,
        )  # fmt: skip
    assert code == 0
    written = b"".join(contents(tmp_path).values()) + "".join([*names(tmp_path), out, err]).encode()
    for secret in (TOKEN, TOKEN.lower(), "my-own-key-42", "tiny"):
        assert secret.encode() not in written
    assert b"a fox [redacted]" in written


async def test_ordinary_words_that_speak_of_bearers_stay(tmp_path: Path) -> None:
    async with serving(Painter()) as server:
        _, out, _ = await hfgen("image", "--api-base", server.url, "--out", str(tmp_path), "the bearer of the ring")
    assert json.loads(Path(out.strip()).with_suffix(".json").read_text())["prompt"] == "the bearer of the ring"


async def test_json_is_one_line_for_each_event_without_the_bytes(tmp_path: Path) -> None:
    async with serving(Painter(png(64, 48))) as server:
        words = ("image", "--api-base", server.url, "--out", str(tmp_path), "--json", "--seed", "7", "a fox")
        code, out, err = await hfgen(*words)
        _, with_data, _ = await hfgen(*words, "--data")
    lines = [json.loads(line) for line in out.splitlines()]
    picture = next(line for line in lines if line["type"] == "image")
    file = Path(picture["path"])
    assert (code, lines[-1]["type"], err) == (0, "finish", "")
    assert (picture["seed"], picture["width"], picture["height"], picture["bytes"]) == (
        7,
        64,
        48,
        len(contents(tmp_path)[file.name]),
    )
    assert (picture["sidecar"], picture["data_url"]) == (str(file.with_suffix(".json")), None)
    assert picture["sha256"] == digest(file)
    assert '"data_url":"data:image/png;base64,' in with_data


async def test_the_prompt_may_be_piped_in(tmp_path: Path) -> None:
    painter = Painter()
    async with serving(painter) as server:
        await hfgen("image", "--api-base", server.url, "--out", str(tmp_path), stdin="a fox\n")
        await hfgen("image", "--api-base", server.url, "--out", str(tmp_path), "-", "in snow", stdin="a fox\n")
    assert [asked["inputs"] for asked in painter.asked] == ["a fox", "a fox\nin snow"]


async def test_without_a_token_or_a_server_both_ways_out_are_said(tmp_path: Path) -> None:
    code, out, err = await hfgen("image", "--out", str(tmp_path), "a fox", HF_TOKEN="", HF_HOME=str(tmp_path / "none"))
    assert (code, out) == (4, "")
    assert "no text-to-image model comes along" in err
    assert "HF_TOKEN" in err
    assert "--api-base" in err
    assert "-m local" not in err


async def test_the_local_model_makes_no_pictures() -> None:
    code, out, err = await hfgen("image", "-m", "local", "a fox")
    assert (code, out) == (5, "")
    assert "the local model writes text" in err


async def test_a_text_model_is_refused_before_it_is_asked(tmp_path: Path) -> None:
    async with serving_hub() as hub:
        hub.replies["/api/models/a/writer"] = {"id": "a/writer", "pipeline_tag": "text-generation"}
        where = {"HF_ENDPOINT": hub.url, "HF_INFERENCE_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
        code, out, err = await hfgen("image", "-m", "a/writer", "--out", str(tmp_path), "a fox", **where)
    assert (code, out, names(tmp_path)) == (5, "", [])
    assert "a/writer is a model for text-generation: it makes no pictures" in err
    assert "hfgen models --task text-to-image" in err


async def test_a_server_for_text_makes_no_pictures(tmp_path: Path) -> None:
    async def tgi(visit: Visit) -> None:
        known = visit.path == "/info"
        await visit.answer(b'{"model_id":"a/b","max_total_tokens":4096}' if known else b"{}", status="200 OK")

    async with serving(tgi) as server:
        code, out, err = await hfgen("image", "--api-base", server.url, "--out", str(tmp_path), "a fox")
    assert (code, out) == (5, "")
    assert "makes no pictures" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "there is no prompt"),
        (("-n", "0", "a fox"), "not in the range"),
        (("--aspect-ratio", "wide", "a fox"), "16:9"),
        (("--out", "fox.png", "a fox"), "a folder is expected"),
        (("--out", "/dev/null/x", "a fox"), "--out /dev/null/x"),
        (("--data", "a fox"), "--data goes with --json"),
        (("-o", "top_q", "1", "a fox"), "no option is called"),
    ],
)
async def test_wrong_usage_is_said_before_anything_is_asked(words: tuple[str, ...], said: str) -> None:
    painter = Painter()
    async with serving(painter) as server:
        code, out, err = await hfgen("image", "--api-base", server.url, *words)
    assert (code, out, painter.asked) == (2, "", [])
    assert said in err


async def test_wrong_usage_is_an_error_line_where_json_was_asked_for() -> None:
    code, out, _ = await hfgen("image", "--json", "-n", "many", "a fox")
    assert (code, json.loads(out)["type"]) == (2, "error")


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="nothing here limits the size of a file")
async def test_a_full_disk_is_said_with_the_files_name_and_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    async with serving(Painter()) as server:
        process = await asyncio.create_subprocess_exec(
            "prlimit", "--fsize=100", *HFGEN, "image", "--api-base", server.url, "--out", str(tmp_path), "a fox",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        out, err = await process.communicate()
    assert (process.returncode, out, names(tmp_path)) == (1, b"", [])
    assert f"{tmp_path}/a-fox-" in err.decode()
    assert ".png could not be written: File too large" in err.decode()


async def test_a_folder_is_made_for_the_first_picture_and_not_before(tmp_path: Path) -> None:
    out = tmp_path / "foxes" / "red"
    async with serving(Painter(b"<html>hello</html>")) as server:
        words = ("--out", str(out), "-o", "total_timeout", "5", "a fox")
        assert (await hfgen("image", "--api-base", server.url, *words))[0] == 7
    assert not out.parent.exists()
    assert (await hfgen("image", "--out", str(out), "a fox"))[0] == 4
    assert not out.parent.exists()
    async with serving(Painter()) as server:
        assert (await hfgen("image", "--api-base", server.url, "--out", str(out), "a fox"))[0] == 0
    assert len(names(out)) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
async def test_a_folder_that_cannot_be_written_to_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o555)
    painter = Painter()
    async with serving(painter) as server:
        words = ("--out", str(tmp_path / "closed" / "new"), "a fox")
        code, _, err = await hfgen("image", "--api-base", server.url, *words)
    assert (code, painter.asked) == (2, [])
    assert "Permission denied" in err


async def test_a_link_to_nowhere_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    painter = Painter()
    async with serving(painter) as server:
        code, _, err = await hfgen("image", "--api-base", server.url, "--out", str(tmp_path / "link"), "a fox")
    assert (code, painter.asked) == (2, [])
    assert "--out" in err


async def test_advice_names_the_flags_of_this_command() -> None:
    async with serving(Painter()) as server:
        for words, flag in ((("--aspect-ratio", "wide"), "--aspect-ratio wide"), (("--width", "0"), "--width 0")):
            _, _, err = await hfgen("image", "--api-base", server.url, *words, "a fox")
            assert f"hfgen: {flag}" in err.replace("'", "")
            _, out, _ = await hfgen("image", "--json", "--api-base", server.url, *words, "a fox")
            assert json.loads(out)["message"].replace("'", "").startswith(flag)


async def test_an_answer_that_is_no_picture_writes_nothing(tmp_path: Path) -> None:
    async with serving(Painter(b"<html>hello</html>")) as server:
        words = ("--out", str(tmp_path), "-o", "total_timeout", "5", "a fox")
        code, out, err = await hfgen("image", "--api-base", server.url, *words)
    assert (code, out, names(tmp_path)) == (7, "", [])
    assert "Traceback" not in err


HOSTILE: dict[str, tuple[dict[str, str], str]] = {
    "an address inside": ({"url": "http://169.254.169.254/latest/meta-data"}, "is not fetched"),
    "a file": ({"url": "file:///etc/passwd"}, "of the kind 'file'"),
    "ten gigabytes": ({"url": "http://{host}/10-GB"}, "10737418240"),
    "a bomb": ({"b64_json": base64.b64encode(huge_png(50_000, 50_000)).decode()}, "50000 x 50000"),
    "a page": ({"url": "http://{host}/page"}, "HTML"),
}


@pytest.mark.parametrize(("place", "said"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_provider_gets_a_clear_error_and_nothing_is_written(
    place: dict[str, str], said: str, tmp_path: Path
) -> None:
    async def provide(visit: Visit) -> None:
        if visit.path == "/10-GB":
            await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n" + png())
            await visit.gone()
        elif visit.path == "/page":
            await visit.answer(b"<!doctype html><title>Sign in</title>", "image/png")
        else:
            told = {key: text.replace("{host}", visit.headers["host"]) for key, text in place.items()}
            await visit.answer(json.dumps({"data": [told]}).encode())

    out = tmp_path / "out"
    async with serving(provide) as server:
        words = ("--api-base", f"{server.url}/v1/images/generations", "--out", str(out), "a fox")
        code, printed, err = await hfgen("image", *words)
    assert (code, printed, out.exists()) == (7, "", False)
    assert said in err
    assert "Traceback" not in err


async def test_no_name_that_a_provider_gives_names_a_file(tmp_path: Path) -> None:
    async def provide(visit: Visit) -> None:
        if "evil" in visit.path:
            more = 'Content-Disposition: attachment; filename="../../evil.png"\r\n'
            await visit.answer(png(), "image/png", more=more)
        else:
            url = f"http://{visit.headers['host']}/..%2f..%2fevil.png"
            told = {"url": url, "revised_prompt": "../../evil", "model": "../evil"}
            await visit.answer(json.dumps({"data": [told]}).encode())

    out = tmp_path / "deep" / "out"
    async with serving(provide) as server:
        words = ("--api-base", f"{server.url}/v1/images/generations", "--out", str(out), "a fox")
        assert (await hfgen("image", *words))[0] == 0
    assert [name.startswith("a-fox-") for name in names(out)] == [True, True]
    assert (names(tmp_path), names(tmp_path / "deep")) == (["deep"], ["out"])


async def test_ctrl_c_ends_the_job_and_writes_nothing(tmp_path: Path) -> None:
    painter = Painter(waits=True)
    async with serving(painter) as server:
        process = await asyncio.create_subprocess_exec(
            *HFGEN, "image", "--json", "--api-base", server.url, "--out", str(tmp_path), "a fox",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        async with asyncio.timeout(30):
            await painter.came.wait()
            process.send_signal(signal.SIGINT)
            await painter.gone.wait()
        out, err = await process.communicate()
    assert (process.returncode, names(tmp_path)) == (130, [])
    assert json.loads(out.splitlines()[-1])["error"] == "Interrupted"
    assert b"Traceback" not in err


async def test_several_pictures_are_several_files_each_with_its_seed(tmp_path: Path) -> None:
    painter = Painter(*(png(64, 48, shade) for shade in range(3)))
    async with serving(painter) as server:
        words = ("-n", "3", "--seed", "7", "--out", str(tmp_path), "a fox")
        code, out, err = await hfgen("image", "--api-base", server.url, *words)
    assert code == 0
    assert sorted(Path(line).name.split("-")[2] for line in out.splitlines()) == ["7", "8", "9"]
    assert len(names(tmp_path)) == 6
    assert "3 pictures" in err


async def test_a_seed_that_was_drawn_is_told_so_that_the_picture_can_be_made_again(tmp_path: Path) -> None:
    painter = Painter()
    async with serving(painter) as server:
        _, out, _ = await hfgen("image", "--api-base", server.url, "--out", str(tmp_path), "--json", "a fox")
    seed = json.loads(out.splitlines()[0])["seed"]
    assert seed == painter.asked[0]["parameters"]["seed"]


async def test_ctrl_c_keeps_the_pictures_that_had_come(tmp_path: Path) -> None:
    painter = Painter(waits_at=8)
    async with serving(painter) as server:
        process = await asyncio.create_subprocess_exec(
            *HFGEN, "image", "--api-base", server.url, "--out", str(tmp_path), "-n", "2", "--seed", "7", "a fox",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        assert process.stdout is not None
        async with asyncio.timeout(30):
            path = (await process.stdout.readline()).decode().strip()
            process.send_signal(signal.SIGINT)
            await painter.gone.wait()
        _, err = await process.communicate()
    assert process.returncode == 130
    assert names(tmp_path) == [Path(path).with_suffix(".json").name, Path(path).name]
    assert "1 picture came before that and is kept" in err.decode()
    assert "Traceback" not in err.decode()


async def test_a_terminal_shows_a_bar_the_picture_and_its_path(tmp_path: Path) -> None:
    words = ("image", "--seed", "7", "--out", str(tmp_path))
    async with (
        serving(Painter()) as server,
        terminal(*words, "--api-base", server.url, "fox", TERM="xterm-kitty") as it,
    ):
        await it.until("\x1b_Ga=T,f=100,q=2,")
        assert await it.end() == 0
    assert "fox-7-" in it.written
    assert it.written.count("\x1b[?25l") == it.written.count("\x1b[?25h"), "the cursor is back"


async def test_a_terminal_that_cannot_show_it_gets_the_path_alone(tmp_path: Path) -> None:
    words = ("image", "--seed", "7", "--out", str(tmp_path))
    async with serving(Painter()) as server:
        for more in ((), ("--no-preview", "--preview", "kitty")):
            async with terminal(*words, *more, "--api-base", server.url, "fox", TERM="xterm-256color") as it:
                assert await it.end() == 0
            assert "fox-7-" in it.written
            assert "\x1b_G" not in it.written
            assert "1337" not in it.written


async def test_ctrl_c_on_a_terminal_leaves_it_clean(tmp_path: Path) -> None:
    painter = Painter(waits=True)
    words = ("image", "--out", str(tmp_path))
    async with serving(painter) as server, terminal(*words, "--api-base", server.url, "fox") as it:
        async with asyncio.timeout(30):
            await painter.came.wait()
        it.interrupt()
        assert await it.end() == 130
    assert it.written.count("\x1b[?25l") == it.written.count("\x1b[?25h"), "the cursor is back"
    assert "Traceback" not in it.written
