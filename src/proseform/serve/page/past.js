/** The history of this tab, in its sessionStorage: off at first, and gone where it is switched off. */

const KEY = "proseform.history";
const MOST = 20;

/** The entries, newest first; null while it is off. */
export function entries() {
  const text = sessionStorage.getItem(KEY);
  return text === null ? null : JSON.parse(text);
}

/** Switch it on or off; off forgets all. */
export function keep(on) {
  if (on) sessionStorage.setItem(KEY, "[]");
  else sessionStorage.removeItem(KEY);
}

/** Keep an entry where it is on; the oldest make room. */
export function add(entry) {
  const kept = entries();
  if (kept === null) return;
  kept.unshift(entry);
  kept.length = Math.min(kept.length, MOST);
  while (kept.length && !stored(kept)) kept.pop();
}

/** Whether the entries fit. */
function stored(kept) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
    return true;
  } catch (error) {
    if (error.name !== "QuotaExceededError") throw error;
    return false;
  }
}
