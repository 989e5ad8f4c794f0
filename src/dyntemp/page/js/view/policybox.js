/** A policy as text: read while it is written, with the error below; the last good one stays in force. */

import { makeCompletion } from "./completion.js";
import { debounced, element } from "./dom.js";
import { Editor } from "./editor.js";
import { PolicyError } from "../errors.js";
import { scanned } from "../language/lexer.js";
import { makeColours } from "./vocabulary.js";

const PAUSE = 160;

/** An input for a policy. `onPolicy(policy)` is called with each one that reads; `parse` throws where one does not. */
export class PolicyBox {
  constructor({ id, label, table, parse, onPolicy }) {
    this.parse = parse;
    this.onPolicy = onPolicy;
    this.policy = null;
    this.error = element("p", { class: "error", id: `${id}-error`, role: "alert", hidden: true });
    this.editor = new Editor({
      attributes: { id, "aria-labelledby": `${id}-label`, "aria-describedby": `${id}-error`, enterkeyhint: "done" },
      colours: makeColours(table),
      complete: makeCompletion(table),
      onChange: debounced(() => this.read(), PAUSE),
      onEnter: () => this.read(),
    });
    this.root = element(
      "div",
      { class: "policy-box" },
      element("label", { id: `${id}-label`, click: () => this.editor.focus() }, label),
      this.editor.root,
      this.error,
    );
  }

  /** Put `text` into the input and read it. */
  write(text) {
    if (text !== this.editor.text) this.editor.write(text);
    this.text = null;
    return this.read();
  }

  /** Read what stands there; whether it is a policy. */
  read() {
    const { text } = this.editor;
    if (text === this.text) return this.error.hidden && this.policy !== null;
    this.text = text;
    try {
      this.policy = text.trim() ? ready(this.parse(text), text) : null;
    } catch (error) {
      this.fail(text, error);
      return false;
    }
    this.clear();
    if (this.policy) this.onPolicy(this.policy);
    return this.policy !== null;
  }

  /** Say what is wrong, and mark where; who cannot see the mark is told the number of the character. */
  fail(text, error) {
    if (!(error instanceof PolicyError)) throw error;
    const { sentence, position, end } = error;
    const units = (count) => Array.from(text).slice(0, count).join("").length;
    const placed = position !== null;
    this.editor.judge(false, placed ? [{ from: units(position), to: units(end), message: sentence }] : []);
    const number = placed ? [element("span", { class: "hidden" }, ` (character ${position + 1})`)] : [];
    this.error.replaceChildren(sentence, ...number);
    this.error.hidden = false;
  }

  clear() {
    this.error.hidden = true;
    this.error.replaceChildren();
    this.editor.judge(true);
  }

  /** Put a piece of a policy where the cursor stands. */
  insert(piece) {
    this.editor.insert(piece);
    this.read();
  }

  /** Take the last change back, or, with `again`, make it again. */
  undo(again = false) {
    if (again) this.editor.redo();
    else this.editor.undo();
    this.read();
  }
}

/** `policy`, read from `text`, if it can be evaluated as it stands. */
function ready(policy, text) {
  if (!policy.isTemplate) return policy;
  const names = policy.parameters.filter(({ low }) => low === null).map(({ name }) => name);
  const { start, end } = scanned(text).find((token) => names.includes(token.text));
  const listed = names.map((name) => `\`${name}\``).join(", ");
  throw new PolicyError(`this is a template: give ${listed} a number`, start, end);
}
