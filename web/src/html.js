// htm reads templates as Preact's elements: no compiler, and nothing evaluated.
import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
