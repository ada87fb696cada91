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

// Reads the arguments of the call that has messages, without running it.
const READ = `
import ast, json, sys
calls = [node for node in ast.walk(ast.parse(sys.stdin.read())) if isinstance(node, ast.Call)]
found = next(call for call in calls if any(each.arg == "messages" for each in call.keywords))
print(json.dumps({each.arg: ast.literal_eval(each.value) for each in found.keywords if each.arg != "api_key"}))
`;

for (const form of ["Python", "openai"]) {
  test(`the program for ${form} is Python, and says the very request`, () => {
    const call = snippet(form, BODY, "http://127.0.0.1:8000/v1");
    const env = { ...process.env, PYTHONUTF8: "1" };
    const { stdout, stderr } = spawnSync("python3", ["-c", READ], { input: call, env });
    const said = JSON.parse(stdout.toString() || JSON.stringify(stderr.toString()));
    assert.deepEqual(said.messages, BODY.messages);
    assert.equal(said.temperature, 0.5);
    assert.deepEqual(form === "openai" ? said.extra_body : { top_k: said.top_k }, { top_k: 4 });
  });
}

test("no form holds a key", () => {
  for (const form of FORMS) assert.match(snippet(form, BODY, "http://x/v1"), /HFGEN_API_KEY/);
});
