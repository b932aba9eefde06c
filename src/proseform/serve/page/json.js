/** JSON as people read it: what fits stands on one line; values with evidence lead to their quotes. */
import { element } from "/page/elements.js";

const WIDTH = 44;

/**
 * Put a value into an element.
 *
 * `links` has the quotes of a JSON pointer, as quotes.js has spans. `other` is an answer to the same case, or
 * undefined: leaves that it lacks are marked.
 */
export function show(into, value, links, other) {
  const compared = other === undefined ? null : new Map(leaves(other));
  into.replaceChildren(...written(value, "", "", { links, compared }));
}

/** The leaves of a value, by pointer, as JSON; an empty object or list is one too. */
export function leaves(value, pointer = "") {
  const inner = entries(value);
  if (!inner?.length) return [[pointer, JSON.stringify(value)]];
  return inner.flatMap(([key, child]) => leaves(child, `${pointer}/${escaped(key)}`));
}

/** What a list or an object holds, by key; null for any other value. */
function entries(value) {
  return value !== null && typeof value === "object" ? Object.entries(value) : null;
}

/** A key within a JSON pointer (RFC 6901). */
function escaped(key) {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** A value as nodes. */
function written(value, pointer, indent, how) {
  const inner = entries(value);
  if (!inner?.length) return [leaf(value, pointer, how)];
  const list = Array.isArray(value);
  const flat = JSON.stringify(value).length + indent.length <= WIDTH;
  const deeper = flat ? "" : `${indent}  `;
  const nodes = [list ? "[" : "{"];
  inner.forEach(([key, child], place) => {
    nodes.push(flat ? (place ? " " : "") : `\n${deeper}`);
    if (!list) nodes.push(element("span", "key", JSON.stringify(key)), ": ");
    nodes.push(...written(child, `${pointer}/${escaped(key)}`, deeper, how));
    if (place < inner.length - 1) nodes.push(",");
  });
  nodes.push(flat ? "" : `\n${indent}`, list ? "]" : "}");
  return nodes;
}

/** A leaf: a link to its quote where it has one. */
function leaf(value, pointer, { links, compared }) {
  const text = JSON.stringify(value);
  const spans = links.get(pointer) ?? [];
  const one = element(spans.length ? "a" : "span", typeof value === "string" ? "text" : "plain", text);
  if (compared && compared.get(pointer) !== text) one.classList.add("differs");
  if (spans.length) {
    one.classList.add("quoted", spans[0].sheet);
    one.href = `#mark-${spans[0].key}`;
    one.id = `value-${spans[0].key}`;
    one.dataset.quote = spans.map((span) => span.key).join(" ");
    one.append(element("sup", "", spans.map((span) => span.label).join(" ")));
  }
  return one;
}
