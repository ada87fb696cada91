import assert from "node:assert/strict";
import { test } from "node:test";
import { pieces } from "../src/pieces.js";

test("a prompt is cut at its special tokens, the longer one first", () => {
  assert.deepEqual(pieces("<s>[INST]hi</s>", ["<s>", "</s>", "[INST]", "[INST"]), [
    { text: "<s>", special: true },
    { text: "[INST]", special: true },
    { text: "hi", special: false },
    { text: "</s>", special: true },
  ]);
});

test("a prompt without special tokens is one piece", () => {
  assert.deepEqual(pieces("a|b", []), [{ text: "a|b", special: false }]);
});
