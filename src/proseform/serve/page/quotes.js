/**
 * Quotes: an answer's evidence and findings marked in an input, and lit where they stand in both.
 *
 * Evidence counts code points, as Python does; a string of JavaScript counts UTF-16's halves.
 */
import { element } from "/page/elements.js";

/** A text in pieces, in order, each with the spans that cover it. A span has `start` and `end`, in code points. */
export function pieces(text, spans) {
  const points = Array.from(text);
  const edges = [...new Set([0, points.length, ...spans.flatMap((span) => [span.start, span.end])])].sort(
    (a, b) => a - b,
  );
  return edges.slice(1).map((end, place) => ({
    text: points.slice(edges[place], end).join(""),
    spans: spans.filter((span) => span.start <= edges[place] && end <= span.end),
    ends: spans.filter((span) => span.end === end && span.start < end),
  }));
}

/** Put a text into an element, with its quotes marked; each number leads to the value that it stands behind. */
export function mark(into, text, spans) {
  into.replaceChildren(
    ...pieces(text, spans).flatMap((piece) => {
      if (!piece.spans.length) return [piece.text];
      const marked = element("mark", piece.spans.map((span) => span.sheet).join(" "), piece.text);
      marked.dataset.quote = piece.spans.map((span) => span.key).join(" ");
      return [marked, ...piece.ends.map(number)];
    }),
  );
}

/** The number of a quote, which leads to its value. */
function number(span) {
  const link = element("a", `number ${span.sheet}`, span.label);
  link.id = `mark-${span.key}`;
  link.href = `#value-${span.key}`;
  link.dataset.quote = span.key;
  link.setAttribute("aria-label", span.message ?? `Quote ${span.label}: ${span.pointer}`);
  return link;
}

/** Light what belongs together when one of it is pointed at or focused; a quote's link goes to its other end. */
export function couple(root) {
  const light = (event) => {
    const keys = event.target.closest?.("[data-quote]")?.dataset.quote.split(" ") ?? [];
    for (const one of root.querySelectorAll(".lit")) one.classList.remove("lit");
    for (const key of keys) for (const one of root.querySelectorAll(`[data-quote~="${key}"]`)) one.classList.add("lit");
  };
  root.addEventListener("pointerover", light);
  root.addEventListener("focusin", light);
  root.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-quote]");
    const target = link && document.getElementById(link.hash.slice(1));
    if (!link) return;
    event.preventDefault();
    target?.scrollIntoView({ block: "nearest" });
    target?.focus();
  });
}
