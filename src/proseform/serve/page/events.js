/** Asking the server: JSON, and our own protocol in events (docs/serving.md), both with errors in words. */

/** Why there is no answer: the server's own words, or that it did not speak. */
export class Trouble extends Error {
  constructor({ reason, message, hint = "" }) {
    super(message);
    this.reason = reason;
    this.hint = hint;
  }
}

/** A JSON value from the server; with a body it is posted. */
export async function json(path, body, signal) {
  const response = await asked(path, body, signal);
  return speaking(response.json());
}

/** The events of a request, each `{name, data}`; the last is an answer, or a Trouble is thrown. */
export async function* events(path, body, signal) {
  const response = await asked(path, body, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await speaking(reader.read());
      if (done) break;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parsed(block);
        if (event?.name === "error") throw new Trouble(event.data.error);
        if (event) yield event;
        if (event?.name === "answer") return;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it has ended, or nobody listens any more
  }
  throw new Trouble({ reason: "cut", message: "The connection ended before the answer.", hint: "Ask again." });
}

/** One event of a stream; null for a comment. */
function parsed(block) {
  const fields = new Map(
    block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  return fields.has("data") ? { name: fields.get("event"), data: JSON.parse(fields.get("data")) } : null;
}

/** A response that is no error. */
async function asked(path, body, signal) {
  const posted = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await speaking(fetch(path, { signal, ...(body === undefined ? {} : posted) }));
  if (response.ok) return response;
  const error = await response
    .json()
    .then((value) => value.error)
    .catch(() => null);
  const words = error ?? { reason: `HTTP ${response.status}`, message: "The server gave no reason." };
  const wait = response.headers.get("retry-after");
  throw new Trouble(wait ? { ...words, hint: `${words.hint ?? ""} Ask again in ${wait} s.`.trim() } : words);
}

/** What the network gives; that there is none is said in words. */
async function speaking(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble({ reason: "away", message: "The server does not answer.", hint: "Is it still running?" });
  }
}
