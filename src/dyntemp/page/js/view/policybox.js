/** A policy as text: read while it is written, with the error and its place below; the last good one stays in force. */

import { debounced, element } from "./dom.js";

const PAUSE = 160;

/** An input for a policy. `onPolicy(policy)` is called with each one that reads; `parse` throws where one does not. */
export class PolicyBox {
  constructor({ id, label, parse, onPolicy }) {
    this.parse = parse;
    this.onPolicy = onPolicy;
    this.policy = null;
    this.error = element("pre", { class: "error", id: `${id}-error`, role: "alert", hidden: true });
    this.input = element("input", {
      id,
      type: "text",
      class: "policy-text",
      spellcheck: "false",
      autocomplete: "off",
      autocapitalize: "off",
      "aria-describedby": `${id}-error`,
      input: debounced(() => this.read(), PAUSE),
      keydown: (event) => event.key === "Enter" && this.read(),
    });
    this.root = element(
      "div",
      { class: "policy-box" },
      element("label", { for: id }, label),
      this.input,
      this.error,
    );
  }

  /** Put `text` into the input and read it. */
  write(text) {
    this.input.value = text;
    this.text = null;
    return this.read();
  }

  /** Read what stands there; whether it is a policy. */
  read() {
    const text = this.input.value.trim();
    if (text === this.text) return this.error.hidden;
    this.text = text;
    try {
      this.policy = text ? ready(this.parse(text)) : null;
    } catch (error) {
      this.fail(text, error);
      return false;
    }
    if (this.policy === null) {
      this.error.hidden = true;
      return false;
    }
    this.clear();
    this.onPolicy(this.policy);
    return true;
  }

  /** Show what is wrong, and where. */
  fail(text, error) {
    const spot = error.position;
    const hasCaret = /\n\s*\^/.test(error.message);
    const place = Number.isInteger(spot) && !hasCaret ? `\n    ${text}\n    ${" ".repeat(spot)}^` : "";
    this.error.textContent = error.message + place;
    this.error.hidden = false;
    this.input.setAttribute("aria-invalid", "true");
  }

  clear() {
    this.error.hidden = true;
    this.error.textContent = "";
    this.input.removeAttribute("aria-invalid");
  }

  /** Put a piece of a policy where the cursor stands. */
  insert(piece) {
    const { selectionStart: start, selectionEnd: end, value } = this.input;
    this.input.focus();
    this.input.setRangeText(piece, start ?? value.length, end ?? value.length, "end");
    this.read();
  }
}

/** The policy, if it can be evaluated as it stands. */
function ready(policy) {
  if (policy.isTemplate) {
    const names = policy.parameters
      .filter((one) => one.low === null || one.low === undefined)
      .map((one) => one.name);
    throw new Error(`this is a template: give ${names.map((name) => `\`${name}\``).join(", ")} a number`);
  }
  return policy;
}
