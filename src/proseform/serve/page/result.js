/** One bundle's answer to a case: the prose as it comes, then verdict, JSON, times; or why there is none. */
import { copy, element, refuse, seconds, short } from "/page/elements.js";
import { Trouble, events } from "/page/events.js";
import { show } from "/page/json.js";

const STATES = {
  wait: "Waiting",
  draft: "Draft",
  verified: "Verified",
  valid: "Valid",
  abstained: "Abstained",
  refused: "Refused",
  none: "No answer",
  stopped: "Stopped",
};
const WORDS = {
  wait: "The evaluator has the case.",
  draft: "Prose of the evaluator; nobody has verified it yet.",
  verified: "Valid JSON, which follows from its own evidence, and each quote stands in the case.",
  valid: "Valid JSON, and no more: this bundle’s models still learn.",
  abstained: "Not the kind of case that these models learnt from; none of them was asked.",
};
/** Reasons that say nothing of the case. */
const ELSEWHERE = new Set(["engine", "busy", "rate", "deadline", "internal", "foreign", "away", "cut"]);

/** What to say of an answer in which something was computed anew; one that was kept by an earlier page states none. */
function anew({ recomputed = [] }) {
  if (!recomputed.length) return "";
  const values = recomputed.length === 1 ? "One value" : `${recomputed.length} values`;
  return ` ${values} did not follow and ${recomputed.length === 1 ? "was" : "were"} computed anew by rule.`;
}

export class Result {
  /**
   * `sheet` is `a` or `b`; `label` what its quotes are called beside another's; `bundle` a digest, or empty for any;
   * `named` whether it says which; `told` hears of each step in words.
   */
  constructor({ sheet, label, bundle, named, told }) {
    Object.assign(this, { sheet, label, bundle, named, told, answer: null, trouble: null, whole: 0, read: 0 });
    this.element = copy("result");
    this.element.classList.add(sheet);
    const find = (selector) => this.element.querySelector(selector);
    this.parts = Object.fromEntries(
      ["verdict", "which", "words", "refusal", "times", "track", "earlier", "prose", "json", "behind"].map((name) => [
        name,
        find(`.${name}`),
      ]),
    );
    this.name();
  }

  /** Ask, and show what comes; `read` are the seconds that reading the inputs took. */
  async run(task, inputs, read, signal) {
    const began = performance.now();
    const body = { inputs, stream: true, ...(this.bundle ? { bundle: this.bundle } : {}) };
    this.read = read;
    this.state("wait");
    try {
      for await (const { name, data } of events(`/v1/tasks/${encodeURIComponent(task)}/answer`, body, signal)) {
        if (name === "draft") this.draft(data.text);
        else if (name === "restart") this.restart(data.try);
        else if (name === "answer") this.answer = data;
      }
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof Trouble)) throw error;
      this.trouble = error.name === "AbortError" ? { reason: "stopped", message: "You stopped it.", hint: "" } : error;
    }
    this.whole = (performance.now() - began) / 1000;
    this.settle();
  }

  /** What is kept of it. */
  get outcome() {
    const trouble = this.trouble && {
      reason: this.trouble.reason,
      message: this.trouble.message,
      hint: this.trouble.hint,
    };
    return { bundle: this.bundle, answer: this.answer, trouble, whole: this.whole, read: this.read };
  }

  /** Show what was kept. */
  restore(outcome) {
    Object.assign(this, outcome);
    this.settle();
  }

  draft(text) {
    if (this.element.dataset.state !== "draft") this.state("draft");
    this.parts.prose.append(text);
  }

  /** Put the draft aside: it was not verified. */
  restart(number) {
    const aside = element(
      "details",
      "",
      element("summary", "", `Draft ${number - 1} was not verified`),
      element("p", "", this.parts.prose.textContent),
    );
    this.parts.earlier.append(aside);
    this.parts.prose.textContent = "";
    this.state("draft", `Not verified, so it is written again: draft ${number}.`);
    this.told(`Not verified. Draft ${number}`);
  }

  /** Show the answer, or the trouble. */
  settle() {
    if (this.trouble) {
      const { reason } = this.trouble;
      this.state(reason === "stopped" ? "stopped" : ELSEWHERE.has(reason) ? "none" : "refused", "");
      refuse(this.parts.refusal, reason.replaceAll("_", " "), this.trouble);
      this.told(`${STATES[this.element.dataset.state]}: ${reason.replaceAll("_", " ")}`);
      return;
    }
    this.parts.prose.textContent = this.answer.prose;
    this.state(this.answer.verdict, `${WORDS[this.answer.verdict]}${anew(this.answer)}`);
    this.compare();
    this.name();
    this.times();
    this.facts();
    this.told(`${STATES[this.answer.verdict]} in ${seconds(this.whole)}`);
  }

  /** Write the JSON; beside another answer, with what differs from it. */
  compare(other) {
    const links = new Map();
    for (const span of this.spans()) links.set(span.pointer, [...(links.get(span.pointer) ?? []), span]);
    show(this.parts.json, this.answer.answer, links, other);
  }

  /** The answer's evidence, numbered through. */
  spans() {
    return (this.answer?.evidence ?? []).map((one, place) => ({
      ...one,
      sheet: this.sheet,
      key: `${this.sheet}${place + 1}`,
      label: `${this.label}${place + 1}`,
    }));
  }

  state(state, words = WORDS[state]) {
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "wait" || state === "draft"));
    this.parts.verdict.textContent = STATES[state];
    this.parts.verdict.dataset.state = state;
    this.parts.words.textContent = words;
    this.told(STATES[state]);
  }

  /** Say which bundle answers. */
  name() {
    const digest = this.named ? (this.answer?.bundle ?? this.bundle) : "";
    this.parts.which.replaceChildren(
      ...(digest ? [`${this.label} bundle `.trimStart(), element("code", "", short(digest))] : []),
    );
    this.parts.which.title = digest;
  }

  /** Where the time went. */
  times() {
    const { evaluator = 0, formatter = 0 } = this.answer.seconds;
    const { tokens } = this.answer;
    const rest = Math.max(0, this.whole - evaluator - formatter);
    const stages = [
      ["reading", this.read, ""],
      ["evaluator", evaluator, ` · ${tokens.evaluator} tokens`],
      ["formatter", formatter, ` · ${tokens.formatter} tokens`],
      ["waiting, verifying", rest, ""],
    ].filter(([name, value]) => value || name !== "reading");
    const whole = this.whole + this.read || 1;
    const caption = this.parts.times.querySelector("figcaption");
    this.parts.track.replaceChildren();
    caption.replaceChildren(element("b", "", seconds(this.whole + this.read)));
    for (const [name, value, more] of stages) {
      const kind = name.split(",")[0];
      const bar = element("i", kind);
      bar.style.flexGrow = value / whole;
      this.parts.track.append(bar);
      caption.append(element("span", kind, `${name} `, element("b", "", seconds(value)), more));
    }
    this.parts.times.hidden = false;
  }

  /** What else stands behind the answer. */
  facts() {
    const { answer } = this;
    const rows = [
      ["bundle", answer.bundle],
      ["task’s contract", answer.task],
      ["quotes", `${answer.evidence.length}`],
      ["evaluations written", `${answer.tries}`],
      ["JSON written", `${answer.attempts} ${answer.attempts === 1 ? "time" : "times"}`],
      ["evaluation by itself", answer.prose_verdict],
      ["cut short", answer.cut.join(", ")],
      [
        "recomputed by rule",
        (answer.recomputed ?? []).map((one) => `${one.pointer}: ${JSON.stringify(one.said)} → ${JSON.stringify(one.follows)}`).join("; "),
      ],
      ["abstained for", answer.abstained.map((one) => `${one.input}: ${one.why.replaceAll("_", " ")}`).join(", ")],
    ];
    const shown = rows
      .filter(([, value]) => value)
      .flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]);
    this.parts.behind.querySelector("dl").replaceChildren(...shown);
    this.parts.behind.hidden = false;
  }
}
