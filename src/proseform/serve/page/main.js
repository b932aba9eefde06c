/** The page: a case in, one or two answers out, and what ties them. */
import { element, refuse, short } from "/page/elements.js";
import { Trouble, json } from "/page/events.js";
import { Input } from "/page/input.js";
import { leaves } from "/page/json.js";
import * as past from "/page/past.js";
import { couple } from "/page/quotes.js";
import { Result } from "/page/result.js";

const LABEL = 34;
const find = (id) => document.getElementById(id);

let task;
let inputs = [];
let results = [];
let said = [];
let stopping = null;

/** Begin with the task. */
async function begin() {
  try {
    task = await json("/page/task");
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    find("title").textContent = `${error.message} ${error.hint}`;
    return;
  }
  document.title = `${task.title} · Proseform`;
  find("task").textContent = `· ${task.name}`;
  find("title").textContent = task.title;
  inputs = task.inputs.map((name) => new Input(name, task, changed));
  find("inputs").replaceChildren(...inputs.map((input) => input.element));
  bundles();
  examples();
  find("keep").checked = past.entries() !== null;
  list();
}

/** The bundles: named where there is one, else to choose among. */
function bundles() {
  const [only, ...others] = task.bundles;
  if (!others.length) {
    find("bundles").append("bundle ", element("code", "", short(only.digest)));
    find("bundles").title = only.digest;
    return;
  }
  find("bundles").append(`${task.bundles.length} bundles`);
  for (const label of document.querySelectorAll(".several")) label.hidden = false;
  for (const { digest, weight } of task.bundles) {
    find("bundle").append(new Option(`${short(digest)} · weight ${weight}`, digest));
    find("beside").append(new Option(short(digest), digest));
  }
}

/** The task's own examples, by level where it has several. */
function examples() {
  const levels = Map.groupBy(
    task.examples.map((example, place) => ({ ...example, place })),
    (example) => example.level,
  );
  for (const [level, cases] of levels) {
    const group = levels.size > 1 ? element("optgroup") : find("example");
    if (levels.size > 1) {
      group.label = level;
      find("example").append(group);
    }
    for (const { inputs: texts, place } of cases) group.append(new Option(called(texts), place));
  }
}

/** A case's name: the first line of each of its inputs. */
function called(texts) {
  const lines = task.inputs.map((name) => (texts[name] ?? "").trim().split("\n")[0]);
  return lines.map((line) => (line.length > LABEL ? `${line.slice(0, LABEL - 1)}…` : line)).join(" · ");
}

/** The inputs are another case's. */
function changed() {
  find("example").value = "";
  clear();
}

/** No answers. */
function clear() {
  stopping?.abort();
  results = [];
  said = [];
  find("sheets").replaceChildren();
  find("agreement").hidden = true;
  find("empty").hidden = false;
  find("status").textContent = "";
  for (const input of inputs) if (!input.marked.hidden) input.plain();
}

/** Sheets for so many bundles. */
function lay(chosen) {
  clear();
  find("empty").hidden = true;
  const several = chosen.length > 1;
  results = chosen.map((bundle, place) => {
    const label = several ? "AB"[place] : "";
    const told = (words) => tell(place, several ? `${label}: ${words}` : words);
    return new Result({ sheet: "ab"[place], label, bundle, named: task.bundles.length > 1, told });
  });
  find("sheets").className = several ? "two" : "one";
  find("sheets").replaceChildren(...results.map((result) => result.element));
}

/** Say what goes on with one of the sheets. */
function tell(place, words) {
  said[place] = words;
  find("status").textContent = said.filter(Boolean).join(" · ");
}

/** Have the case judged. */
async function evaluate() {
  const [bundle, beside] = [find("bundle").value, find("beside").value];
  lay(beside ? [bundle || task.bundles[0].digest, beside] : [bundle]);
  const mine = (stopping = new AbortController());
  const running = results;
  const texts = Object.fromEntries(inputs.map((input) => [input.name, input.text]));
  const read = inputs.reduce((sum, input) => sum + input.readSeconds, 0);
  busy(true);
  try {
    await Promise.all(running.map((result) => result.run(task.name, texts, read, mine.signal)));
  } finally {
    if (stopping === mine) busy(false);
  }
  if (running !== results) return; // another case stands there
  tie();
  if (mine.signal.aborted) return;
  const findings = inputs.map((input) => input.found);
  past.add({ when: Date.now(), texts, findings, outcomes: running.map((result) => result.outcome) });
  list();
}

function busy(on) {
  const [shown, gone] = on ? [find("stop"), find("go")] : [find("go"), find("stop")];
  const held = document.activeElement === gone;
  shown.hidden = false;
  gone.hidden = true;
  if (held) shown.focus();
}

/** Mark the quotes of all answers, and compare two. */
function tie() {
  const spans = results.flatMap((result) => result.spans());
  for (const input of inputs) {
    const findings = results.flatMap((result) => result.answer?.findings[input.name] ?? []);
    input.mark(
      spans.filter((span) => span.input === input.name),
      findings,
    );
  }
  const answers = results.map((result) => result.answer?.answer);
  if (answers.length < 2 || answers.includes(undefined)) return;
  results.forEach((result, place) => result.compare(answers[1 - place]));
  const [one, other] = answers.map((answer) => new Map(leaves(answer)));
  const pointers = [...new Set([...one.keys(), ...other.keys()])];
  const differing = pointers.filter((pointer) => one.get(pointer) !== other.get(pointer));
  const words = `The two answers agree on ${pointers.length - differing.length} of ${pointers.length} values.`;
  find("agreement").replaceChildren(
    element("p", "", words),
    ...(differing.length ? [table(differing, one, other)] : []),
  );
  find("agreement").hidden = false;
}

/** What two answers differ in. */
function table(pointers, one, other) {
  const cells = (kind, texts) => texts.map((text) => element(kind, "", text ?? "–"));
  const rows = pointers.map((pointer) =>
    element("tr", "", element("th", "", pointer), ...cells("td", [one.get(pointer), other.get(pointer)])),
  );
  return element(
    "table",
    "",
    element("thead", "", element("tr", "", ...cells("th", ["value", "A", "B"]))),
    element("tbody", "", ...rows),
  );
}

/** The list of what was kept. */
function list() {
  const kept = past.entries();
  find("past-note").hidden = kept !== null;
  find("past").replaceChildren(
    ...(kept ?? []).map((entry) => {
      const state = entry.outcomes.map(({ answer, trouble }) => answer?.verdict ?? trouble.reason).join(", ");
      const button = element(
        "button",
        "quiet",
        element("b", "", called(entry.texts)),
        ` ${state} · ${new Date(entry.when).toLocaleTimeString()}`,
      );
      button.type = "button";
      button.addEventListener("click", () => restore(entry));
      return element("li", "", button);
    }),
  );
}

/** Lay a kept case out again. */
function restore(entry) {
  changed();
  inputs.forEach((input, place) => input.put(entry.texts[input.name] ?? "", entry.findings[place]));
  lay(entry.outcomes.map(({ bundle }) => bundle));
  results.forEach((result, place) => result.restore(entry.outcomes[place]));
  tie();
  scrollTo({ top: 0 });
}

find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (find("go").hidden || !task) return;
  evaluate();
});
find("stop").addEventListener("click", () => stopping?.abort());
find("example").addEventListener("change", () => {
  const { value } = find("example");
  clear();
  if (value !== "") for (const input of inputs) input.put(task.examples[value].inputs[input.name] ?? "");
});
find("keep").addEventListener("change", () => {
  past.keep(find("keep").checked);
  list();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("ask").requestSubmit();
  else if (event.key === "Escape") stopping?.abort();
});
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault(); // it would open in the page's place
  });
}
couple(document.body);
await begin();
