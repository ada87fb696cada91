import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { described, kindOf } from "../src/picturefile.js";

const PNG = Uint8Array.from(
  Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64"),
);

function chunks(bytes) {
  const view = new DataView(bytes.buffer);
  const found = [];
  for (let at = 8; at < bytes.length; at += 12 + view.getUint32(at)) {
    const end = at + 8 + view.getUint32(at);
    if (crc32) assert.equal(view.getUint32(end), crc32(bytes.subarray(at + 4, end)));
    found.push([String.fromCharCode(...bytes.subarray(at + 4, at + 8)), bytes.subarray(at + 8, end)]);
  }
  return found;
}

test("what a picture was made from goes into the PNG, in a chunk that holds", () => {
  const found = chunks(described(PNG, "image/png", '{"prompt":"é"}'));
  assert.deepEqual(found.map(([name]) => name), ["IHDR", "iTXt", "IDAT", "IEND"]);
  assert.equal(new TextDecoder().decode(found[1][1]), 'parameters\0\0\0\0\0{"prompt":"é"}');
});

test("in a JPEG it is a comment", () => {
  const found = described(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0), "image/jpeg", "hi");
  assert.deepEqual([...found], [0xff, 0xd8, 0xff, 0xfe, 0, 4, 0x68, 0x69, 0xff, 0xe0]);
});

test("a picture is known by its bytes, and SVG is none", () => {
  assert.equal(kindOf(PNG), "image/png");
  assert.equal(kindOf(new TextEncoder().encode("RIFF....WEBPVP8 ")), "image/webp");
  assert.equal(kindOf(new TextEncoder().encode("<svg xmlns='http://www.w3.org/2000/svg'/>")), null);
});
