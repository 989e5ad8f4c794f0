/** Writes texts with the model behind the page: from a prompt, or again from a token of a text. */

import { announce, byId, debounced, element } from "./dom.js";
import { saidBy, written } from "./live.js";
import { makeControls, settingsOf } from "./settings.js";
import { readToken } from "../traces/file.js";

/** Writes texts with the model behind the page, under the texts `policies()`; `onText` shows a new one. */
export class Writer {
  constructor({ info, studio, policies, onText }) {
    Object.assign(this, { info, studio, policies, onText });
    const { rows, inputs } = makeControls(info.defaults ?? {});
    this.inputs = inputs;
    byId("settings").replaceChildren(...rows);
    byId("model-name").textContent = info.model;
    byId("write").hidden = false;
    byId("write").addEventListener("submit", (event) => {
      event.preventDefault();
      this.begin();
    });
    byId("stop").addEventListener("click", () => this.stop());
    byId("prompt").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.begin();
    });
    this.tell = debounced((message) => this.running && announce(message), 400);
  }

  /** Write a new text. */
  begin() {
    const prompt = byId("prompt").value;
    if (!prompt.trim()) {
      this.complain("Write a prompt first.");
      byId("prompt").focus();
      return;
    }
    const { raw, system } = settingsOf(this.inputs);
    this.write({ prompt, raw, system }, [], {}, prompt.trim().slice(0, 80));
  }

  /** The actions {force, reroll} from a token of `column` on; null where this model cannot continue the text. */
  steer(column, at) {
    const source = column.source ?? sourceOf(column, this.info);
    if (!source || this.running) return null;
    const before = column.tokens.slice(0, at);
    const title = this.studio.text.title;
    return {
      reroll: () => this.write(source, before, { seed: null }, title, `rerolled at ${at}`),
      force: (number) =>
        this.write(
          source,
          before,
          { force: [number], seed: String(column.run.header.seed) },
          title,
          `changed at ${at}`,
        ),
    };
  }

  /** Write a text that begins with the tokens `before`. */
  async write(source, before, more, title, label = "written") {
    this.stop();
    const policies = this.policies();
    if (!policies) {
      this.complain("The policy has an error: mend it first.");
      return;
    }
    const body = {
      ...source,
      ...rest(settingsOf(this.inputs)),
      policies,
      begin: before.map((token) => token.token),
      force: [],
      ...more,
    };
    const text = {
      title,
      label,
      source,
      runs: policies.map(() => ({ header: null, tokens: before.map(asGiven) })),
    };
    const control = new AbortController();
    this.running = control;
    this.busy(true);
    this.complain("");
    let shown = false;
    try {
      for await (const line of written(body, control.signal)) {
        if (line.error) throw new Error(saidBy(line));
        if (line.header) text.runs[line.run].header = line.header;
        if (!shown && text.runs.every((run) => run.header)) {
          shown = true;
          this.onText(text);
        }
        if (line.token) this.add(text, line.run, readToken(line.token, 1));
      }
      this.end(
        control,
        shown,
        `Done: ${text.runs.map((run) => `${run.tokens.length} tokens`).join(" and ")}.`,
      );
    } catch (error) {
      const stopped = error.name === "AbortError";
      this.end(control, shown, stopped ? "Stopped." : "");
      if (!stopped) this.complain(error.message);
    }
  }

  /** End a run that no other has replaced: replay its text, and announce the end. */
  end(control, shown, message) {
    if (this.running !== control) return;
    this.running = null;
    this.busy(false);
    if (shown) this.studio.replay();
    if (message) announce(message);
  }

  add(text, run, token) {
    text.runs[run].tokens.push(token);
    if (this.studio.text === text) this.studio.append(run, token);
    this.tell(`${text.runs[run].tokens.length} tokens`);
  }

  /** End what is being written. */
  stop() {
    this.running?.abort();
  }

  busy(whether) {
    byId("stop").disabled = !whether;
    byId("write").setAttribute("aria-busy", String(whether));
    byId("go").textContent = whether ? "Write anew" : "Write";
  }

  complain(message) {
    byId("write-error").textContent = message;
    byId("write-error").hidden = !message;
  }
}

/** A token as it begins another text: drawn or forced, and not the last. */
function asGiven(token) {
  return { ...token, origin: token.origin === "forced" ? "forced" : "drawn", finish: null };
}

/** The settings without those of the prompt, for a text that is continued. */
function rest({ raw, system, ...others }) {
  return others;
}

/** The prompt of a recorded text, where this model wrote it and can take it up. */
function sourceOf(column, info) {
  const { header, tokens } = column.run;
  if (header.model !== info.model) return null;
  const prompt = header.prompts?.[tokens[0]?.request ?? 0];
  const { raw, chat, system = null } = header.settings ?? {};
  const settings = { raw: raw === true || chat === false, system };
  if (typeof prompt === "string") return { prompt, ...settings };
  return Array.isArray(prompt) && prompt[0]?.content !== undefined ? { messages: prompt, ...settings } : null;
}

/** The texts so far, to go back to. */
export class Shelf {
  constructor(onPick) {
    this.onPick = onPick;
    this.texts = [];
  }

  /** Put a text on the shelf. */
  add(text) {
    if (this.texts.includes(text)) return;
    this.texts.push(text);
    const at = this.texts.length;
    const button = element(
      "button",
      { type: "button", click: () => this.onPick(text) },
      `${at}. ${text.title}`,
      element("span", { class: "label" }, text.label),
    );
    byId("shelf").append(element("li", {}, button));
    byId("shelf-section").hidden = false;
  }

  /** Show which text lies on the desk. */
  current(text) {
    [...byId("shelf").children].forEach((item, at) => {
      if (this.texts[at] === text) item.firstChild.setAttribute("aria-current", "true");
      else item.firstChild.removeAttribute("aria-current");
    });
  }
}
