// A prompt in pieces: its special tokens, and the text between them.

/** The prompt cut at its special tokens; where one begins like another, the longer wins. */
export function pieces(prompt, tokens) {
  const known = tokens.filter(Boolean).sort((one, two) => two.length - one.length);
  if (!known.length) return [{ text: prompt, special: false }];
  const pattern = new RegExp(`(${known.map(literal).join("|")})`);
  return prompt.split(pattern).map((text, place) => ({ text, special: place % 2 === 1 })).filter(({ text }) => text);
}

function literal(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
