/** Elements: made by name, or copied from a template. Text only ever goes in as text. */

/** An element with a class and children; strings become text. */
export function element(name, kind = "", ...children) {
  const one = document.createElement(name);
  if (kind) one.className = kind;
  one.append(...children);
  return one;
}

/** A copy of the one element of a template. */
export function copy(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** A bundle's digest for people. */
export function short(digest) {
  return digest.replace("sha256:", "").slice(0, 10);
}

/** Seconds for people. */
export function seconds(value) {
  return value < 0.0995 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(value < 9.995 ? 2 : 1)} s`;
}

/** A refusal in a box of its own: the reason, what happened, what to do. */
export function refuse(box, title, trouble) {
  const [head, ...lines] = box.children;
  head.textContent = title;
  lines[0].textContent = trouble.message;
  if (lines[1]) lines[1].textContent = trouble.hint;
  else if (trouble.hint) lines[0].textContent += ` ${trouble.hint}`;
  box.hidden = false;
}
