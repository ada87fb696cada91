// The body of a chat request: the same for the model, for the prompt inspector and for "copy as".

/**
 * @param model The model's name.
 * @param system The system prompt, "" for none.
 * @param sampling Parameters by their name on the wire; empty ones are the server's choice.
 * @param turns The conversation so far.
 * @param place Which of the compared models: its own answers are its past.
 * @param question What is asked now, if anything.
 */
export function chatBody({ model, system, sampling, turns, place = 0, question = "" }) {
  const messages = system.trim() ? [{ role: "system", content: system }] : [];
  for (const turn of turns) {
    messages.push({ role: "user", content: turn.question });
    const said = turn.said(place);
    if (said) messages.push({ role: "assistant", content: said });
  }
  if (question) messages.push({ role: "user", content: question });
  return { model, messages, ...numbers(sampling) };
}

function numbers(sampling) {
  const given = Object.entries(sampling).filter(([, value]) => value !== "" && value !== null);
  return Object.fromEntries(given.map(([name, value]) => [name, name === "stop" ? lines(value) : Number(value)]));
}

function lines(text) {
  return text.split("\n").filter(Boolean);
}
