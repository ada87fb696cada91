// The bytes of a picture: what they are, and what they were made from written into them.

const KINDS = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
];

/** The kind by the first bytes; never SVG, which could run scripts; null for anything else. */
export function kindOf(bytes) {
  for (const [kind, first] of KINDS) if (first.every((byte, place) => bytes[place] === byte)) return kind;
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  return text.startsWith("RIFF") && text.endsWith("WEBP") ? "image/webp" : null;
}

export function suffixOf(kind) {
  return kind === "image/jpeg" ? "jpg" : kind.slice("image/".length);
}

/** The picture with a text in it: in PNG an `iTXt` chunk, in JPEG a comment; other kinds are left as they are. */
export function described(bytes, kind, text) {
  const words = new TextEncoder().encode(text);
  if (kind === "image/png") return spliced(bytes, 33, chunk(words)); // after the signature (8) and IHDR (25)
  if (kind === "image/jpeg" && words.length < 65_000) return spliced(bytes, 2, comment(words));
  return bytes;
}

function spliced(bytes, place, more) {
  const whole = new Uint8Array(bytes.length + more.length);
  whole.set(bytes.subarray(0, place));
  whole.set(more, place);
  whole.set(bytes.subarray(place), place + more.length);
  return whole;
}

/** PNG (third edition) 11.3.3.4: keyword, NUL, no compression (two bytes), no language, no translated keyword, text. */
function chunk(words) {
  const body = new Uint8Array([...new TextEncoder().encode("iTXtparameters"), 0, 0, 0, 0, 0, ...words]);
  const whole = new Uint8Array(body.length + 8);
  const view = new DataView(whole.buffer);
  view.setUint32(0, body.length - 4);
  whole.set(body, 4);
  view.setUint32(body.length + 4, crc32(body));
  return whole;
}

/** JPEG (T.81) B.2.4.5: marker COM, its length with the two bytes that say it. */
function comment(words) {
  const length = words.length + 2;
  return new Uint8Array([0xff, 0xfe, length >> 8, length & 0xff, ...words]);
}

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
