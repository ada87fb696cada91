// A Markdown text that grows, cut into blocks: finished ones are never parsed again.
//
// Only the last block can still change with more text: a list goes on after an empty line, a paragraph becomes a
// heading by the line below it. Parsing all of a 16 KB answer for each token costs 68 times as much.
import { Lexer } from "marked";

export const OPTIONS = { gfm: true, breaks: false };

export class Blocks {
  #text = "";
  #done = 0; // characters in finished blocks
  #finished = [];

  /** The blocks of the text, as tokens of marked; those that were finished are the same objects as before. */
  of(text) {
    if (!text.startsWith(this.#text)) this.#forget();
    this.#text = text;
    const tokens = new Lexer(OPTIONS).lex(text.slice(this.#done));
    const open = lastBlock(tokens);
    for (const token of tokens.slice(0, open)) {
      this.#done += token.raw.length;
      if (isBlock(token)) this.#finished.push(token);
    }
    return [...this.#finished, ...tokens.slice(open).filter(isBlock)];
  }

  /** The blocks of the whole text, once it is complete: `[x][1]` may be a link to a target that was only said later. */
  whole(text) {
    this.#forget();
    const tokens = new Lexer(OPTIONS).lex(text);
    const linked = Object.keys(tokens.links).length > 0;
    return tokens.filter(isBlock).map((token) => ({ ...token, linked }));
  }

  #forget() {
    this.#text = "";
    this.#done = 0;
    this.#finished = [];
  }
}

function lastBlock(tokens) {
  const last = tokens.findLastIndex(isBlock);
  return last < 0 ? 0 : last;
}

function isBlock(token) {
  return token.type !== "space" && token.type !== "def";
}
