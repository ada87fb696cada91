// Characters that nobody sees, and that make code read otherwise than it runs ("Trojan Source", CVE-2021-42574).

const NAMES = {
  0x00ad: "soft hyphen",
  0x061c: "Arabic letter mark",
  0x180e: "Mongolian vowel separator",
  0x200b: "zero width space",
  0x200c: "zero width non-joiner",
  0x200d: "zero width joiner",
  0x200e: "left-to-right mark",
  0x200f: "right-to-left mark",
  0x202a: "left-to-right embedding",
  0x202b: "right-to-left embedding",
  0x202c: "pop directional formatting",
  0x202d: "left-to-right override",
  0x202e: "right-to-left override",
  0x2060: "word joiner",
  0x2066: "left-to-right isolate",
  0x2067: "right-to-left isolate",
  0x2068: "first strong isolate",
  0x2069: "pop directional isolate",
  0xfeff: "zero width no-break space",
};
const HIDDEN = /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu;
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/gu; // in prose the others have honest uses: emoji, Persian

/** Puts a visible mark in the place of each hidden character below an element; in prose only of those that reorder. */
export function markHidden(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) {
    const pattern = text.parentElement?.closest("code") ? HIDDEN : DIRECTIONS;
    if (text.data.search(pattern) >= 0) text.replaceWith(marked(text.data, pattern));
  }
}

function marked(data, pattern) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const found of data.matchAll(pattern)) {
    fragment.append(data.slice(end, found.index), mark(found[0].codePointAt(0)));
    end = found.index + found[0].length;
  }
  fragment.append(data.slice(end));
  return fragment;
}

function mark(code) {
  const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  const element = document.createElement("mark");
  element.className = "hidden-character";
  element.title = NAMES[code] ?? "tag character";
  element.textContent = name;
  return element;
}
