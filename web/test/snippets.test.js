import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { FORMS, snippet } from "../src/snippets.js";

const HARD = "It's \"hard\"\\ $HOME `id` 'x' \n\u2028 \u{1f9a6} # é";
const BODY = { model: "a/b", messages: [{ role: "user", content: HARD }], temperature: 0.5, top_k: 4, stop: ["\n\n"] };

test("what a shell hands to curl is the very request", () => {
  const program = snippet("curl", BODY, "http://127.0.0.1:8000/v1").replace(/^curl/, "printf '%s\\0'");
  const { stdout } = spawnSync("sh", ["-c", program], { env: { PATH: process.env.PATH, HFGEN_API_KEY: "k" } });
  const words = stdout.toString().split("\0");
  assert.deepEqual(JSON.parse(words[words.indexOf("-d") + 1]), { ...BODY, stream: true });
});

for (const form of ["Python", "openai"]) {
  test(`the program for ${form} is Python, and says the very request`, () => {
    const call = snippet(form, BODY, "http://127.0.0.1:8000/v1");
    const read = "import ast, json, sys; tree = ast.parse(sys.stdin.read()); calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]; "
      + "found = next(c for c in calls if any(k.arg == 'messages' for k in c.keywords)); "
      + "print(json.dumps({k.arg: ast.literal_eval(k.value) for k in found.keywords if k.arg != 'api_key'}))";
    const { stdout, stderr } = spawnSync("python3", ["-c", read], { input: call, env: { ...process.env, PYTHONUTF8: "1" } });
    const said = JSON.parse(stdout.toString() || JSON.stringify(stderr.toString()));
    assert.deepEqual(said.messages, BODY.messages);
    assert.equal(said.temperature, 0.5);
    assert.deepEqual(form === "openai" ? said.extra_body : { top_k: said.top_k }, { top_k: 4 });
  });
}

test("no form holds a key", () => {
  for (const form of FORMS) assert.match(snippet(form, BODY, "http://x/v1"), /HFGEN_API_KEY/);
});
