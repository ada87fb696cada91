import assert from "node:assert/strict";
import { test } from "node:test";
import { Blocks } from "../src/blocks.js";

const TEXTS = [
  "One.\n\nTwo.\n\n- a\n\n  b\n\n- c\n\nThree\n=====\n\n```js\nlet x;\n\nlet y;\n```\n\nEnd.",
  "| a | b |\n|---|---|\n| 1 | 2 |\n\n> quote\nlazy\n\n1. one\n2. two\n\n   more\n\n# Head\ntext",
  "<div>\n\nhtml\n</div>\n\n    indented\n\n***\n\n[x]: http://a.test\n\nsee [x]",
];

for (const [place, text] of TEXTS.entries()) {
  test(`text ${place} cut into blocks character by character is the text cut at once`, () => {
    const blocks = new Blocks();
    let grown = [];
    for (let end = 1; end <= text.length; end += 1) grown = blocks.of(text.slice(0, end));
    const whole = new Blocks().whole(text);
    assert.deepEqual(grown.map(({ type }) => type), whole.map(({ type }) => type));
    assert.deepEqual(grown.map(({ raw }) => raw.trim()), whole.map(({ raw }) => raw.trim()));
  });
}

test("a finished block is never parsed again", () => {
  const blocks = new Blocks();
  const [first] = blocks.of("One.\n\nTwo.\n\nThr");
  assert.equal(blocks.of("One.\n\nTwo.\n\nThree and more")[0], first);
});

test("a text that does not go on from the last one is cut anew", () => {
  const blocks = new Blocks();
  blocks.of("One.\n\nTwo.\n\nThree");
  assert.deepEqual(blocks.of("Other.\n\nText").map(({ raw }) => raw.trim()), ["Other.", "Text"]);
});

test("a link whose target is said later is a link in the end", () => {
  const [first] = new Blocks().whole("see [x][1]\n\n[1]: https://a.test");
  assert.equal(first.tokens.find(({ type }) => type === "link").href, "https://a.test");
  assert.equal(first.linked, true);
});
