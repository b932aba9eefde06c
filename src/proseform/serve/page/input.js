/** One input of a case: its text, typed, pasted or read from a file, and the same with its quotes marked. */
import { copy, element, refuse, seconds } from "/page/elements.js";
import { Trouble, json } from "/page/events.js";
import { mark } from "/page/quotes.js";

const KINDS = {
  text: "Text",
  pdf: "PDF",
  docx: "DOCX",
  odt: "ODT",
  rtf: "RTF",
  html: "HTML",
  markdown: "Markdown",
  json: "JSON",
};

export class Input {
  /** `task` has `max_bytes`; `changed` is told when the text is another. */
  constructor(name, task, changed) {
    this.name = name;
    this.readSeconds = 0;
    this.found = [];
    this.task = task;
    this.changed = changed;
    this.element = copy("input");
    const find = (selector) => this.element.querySelector(selector);
    this.area = find("textarea");
    this.area.id = `input-${name}`;
    this.label = find(".name");
    this.label.htmlFor = this.area.id;
    this.label.textContent = name.replaceAll("_", " ");
    this.marked = find(".marked");
    this.marked.setAttribute("aria-label", `${name}, with its quotes marked`);
    this.origin = find(".origin");
    this.refusal = find(".refusal");
    this.list = find(".findings");
    this.edit = find(".edit");
    this.edit.setAttribute("aria-label", `Edit ${name}`);
    this.chooser = find("input[type=file]");
    this.chooser.setAttribute("aria-label", `Choose a file for ${name}`);
    this.chooser.addEventListener("change", () => {
      if (this.chooser.files.length) this.read(this.chooser.files[0]);
      this.chooser.value = "";
    });
    this.area.addEventListener("input", () => {
      this.forget();
      this.changed();
    });
    this.edit.addEventListener("click", () => {
      this.plain();
      this.area.focus();
    });
    this.element.addEventListener("paste", (event) => {
      // an office program lays a picture of the text beside it
      if (!event.clipboardData.types.includes("text/plain")) this.take(event, event.clipboardData);
    });
    this.element.addEventListener("drop", (event) => this.take(event, event.dataTransfer));
    for (const name of ["dragenter", "dragover"]) {
      this.element.addEventListener(name, (event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        this.element.classList.add("over");
      });
    }
    for (const name of ["dragleave", "drop"]) {
      this.element.addEventListener(name, (event) => {
        if (!this.element.contains(event.relatedTarget)) this.element.classList.remove("over");
      });
    }
  }

  get text() {
    return this.area.value;
  }

  /** Take a text as it is; `findings` are of the reading. */
  put(text, findings = []) {
    this.forget();
    this.area.value = text;
    this.found = findings;
    this.note(findings);
    this.plain();
  }

  /** Take the file that was dropped or pasted, if one was. */
  take(event, data) {
    const [file] = data?.files ?? [];
    if (!file) return;
    event.preventDefault();
    if (data.files.length > 1)
      this.refuse({ message: "That is more than one file.", hint: "Give one for this input." });
    else this.read(file);
  }

  /** Have a file read by the server. */
  async read(file) {
    this.put("");
    this.changed();
    const turn = (this.turn = {}); // a later file or text wins
    this.tell(`Reading ${file.name}`);
    const began = performance.now();
    try {
      if (file.size > this.task.max_bytes) {
        throw new Trouble({
          reason: "too_large",
          message: `It has ${file.size} bytes; ${this.task.max_bytes} are read.`,
        });
      }
      const read = await json("/page/read", { input: this.name, file: file.name, data: await base64(file) });
      if (turn !== this.turn) return;
      this.put(read.text, read.findings);
      this.readSeconds = (performance.now() - began) / 1000;
      const pages = read.pages ? `${read.pages} ${read.pages === 1 ? "page" : "pages"}` : "";
      const parts = [KINDS[read.kind] ?? read.kind, pages, read.encoding, `read in ${seconds(this.readSeconds)}`];
      this.tell(parts.filter(Boolean).join(" · "));
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (turn === this.turn) this.refuse(error);
    }
  }

  /** Say why a file was not read. */
  refuse(trouble) {
    this.origin.hidden = true;
    refuse(this.refusal, "Not read", trouble);
  }

  /** Show quotes in the text, and where the findings stand that have a place; `findings` are the answer's. */
  mark(spans, findings) {
    const told = [...new Map([...this.found, ...findings].map((one) => [one.message, one])).values()];
    const keyed = told.map((one, place) => ({ ...one, key: `${this.name}-finding-${place}` }));
    this.note(keyed);
    const places = keyed.filter((one) => one.start < one.end).map((one) => ({ ...one, sheet: "found", label: "!" }));
    if (!spans.length && !places.length) return;
    mark(this.marked, this.text, [...spans, ...places]);
    this.show(true);
  }

  /** The text as it can be edited. */
  plain() {
    this.show(false);
    this.marked.replaceChildren();
  }

  show(marked) {
    this.marked.hidden = !marked;
    this.area.hidden = marked;
    this.edit.hidden = !marked;
  }

  /** Forget where the text came from. */
  forget() {
    this.turn = null;
    this.readSeconds = 0;
    this.found = [];
    this.origin.hidden = true;
    this.refusal.hidden = true;
    this.note([]);
  }

  tell(words) {
    this.origin.textContent = words;
    this.origin.hidden = false;
  }

  note(findings) {
    this.list.replaceChildren(
      ...findings.map((one) => {
        const item = element("li", "", element("b", "", one.kind.replaceAll("_", " ")), ` ${one.message}`);
        if (!one.key) return item;
        item.id = `value-${one.key}`;
        item.tabIndex = -1;
        item.dataset.quote = one.key;
        return item;
      }),
    );
    this.list.hidden = !findings.length;
  }
}

/** A file's bytes in base64. */
function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Trouble({ reason: "file", message: "The browser cannot read the file." }));
    reader.readAsDataURL(file);
  });
}
