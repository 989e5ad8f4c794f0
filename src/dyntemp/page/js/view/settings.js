/** The controls for the settings of a run, and the body of its request. */

import { element } from "./dom.js";

/** One record per control: its field in the request, its label, what it is, and its default. */
export const CONTROLS = [
  { name: "max_tokens", label: "Tokens at most", kind: "number", least: 1, step: 1, standard: 120 },
  { name: "seed", label: "Seed", kind: "number", least: 0, step: 1, standard: "", hint: "a new one" },
  {
    name: "top_k",
    label: "Top-k",
    kind: "number",
    least: 0,
    step: 1,
    standard: 0,
    title: "keep the k likeliest tokens; 0: all",
  },
  {
    name: "top_p",
    label: "Top-p",
    kind: "number",
    least: 0,
    most: 1,
    step: "any",
    standard: 1,
    title: "keep the likeliest up to this sum",
  },
  {
    name: "min_p",
    label: "Min-p",
    kind: "number",
    least: 0,
    most: 1,
    step: "any",
    standard: 0,
    title: "keep what has this share of the likeliest",
  },
  {
    name: "filter_at",
    label: "Filters read",
    kind: "choice",
    choices: { model: "before the temperature", temperature: "after the temperature" },
    standard: "model",
  },
  {
    name: "filters",
    label: "Other filters",
    kind: "text",
    standard: "",
    hint: "top_n_sigma(1), temperature, xtc(0.1, 0.5)",
    title: "any chain of filters, instead of the four settings before",
  },
  { name: "stop", label: "Stop at (one per line)", kind: "lines", standard: "" },
  { name: "zones", label: "Zones, such as note=<note>...</note> (one per line)", kind: "lines", standard: "" },
  { name: "system", label: "System message", kind: "lines", standard: "" },
  {
    name: "raw",
    label: "Continue the text as it is, without a chat template",
    kind: "switch",
    standard: false,
  },
];

/** The controls, with what the server takes by default. */
export function makeControls(defaults = {}) {
  const inputs = {};
  const rows = CONTROLS.map((control) => {
    const input = inputOf(control, defaults[control.name] ?? control.standard);
    inputs[control.name] = input;
    const label = element("label", { for: input.id }, control.label);
    const wide = ["lines", "switch", "text"].includes(control.kind) ? " wide" : "";
    return element(
      "div",
      { class: `control ${control.kind}${wide}` },
      ...(control.kind === "switch" ? [input, label] : [label, input]),
    );
  });
  return { rows, inputs };
}

function inputOf(control, value) {
  const id = `setting-${control.name}`;
  switch (control.kind) {
    case "choice":
      return element(
        "select",
        { id },
        Object.entries(control.choices).map(([key, said]) =>
          element("option", { value: key, selected: key === value }, said),
        ),
      );
    case "lines":
      return element("textarea", { id, rows: 2 }, Array.isArray(value) ? value.join("\n") : (value ?? ""));
    case "switch":
      return element("input", { id, type: "checkbox", checked: Boolean(value) });
    default:
      return element("input", {
        id,
        type: control.name === "seed" || control.kind === "text" ? "text" : "number",
        inputmode: control.name === "seed" ? "numeric" : null,
        pattern: control.name === "seed" ? "[0-9]*" : null,
        min: control.least,
        max: control.most,
        step: control.step,
        value: value ?? "",
        placeholder: control.hint,
        title: control.title,
      });
  }
}

/** The values of the controls as fields of a request. A seed stays text, since it may not fit a float. */
export function settingsOf(inputs) {
  const number = (name, fallback) =>
    inputs[name].value.trim() === "" ? fallback : Number(inputs[name].value);
  const lines = (name) =>
    inputs[name].value
      .split("\n")
      .filter(Boolean)
      .map((line) => line.replaceAll("\\n", "\n"));
  return {
    raw: inputs.raw.checked,
    system: inputs.raw.checked ? null : inputs.system.value.trim() || null,
    seed: inputs.seed.value.trim() || null,
    max_tokens: number("max_tokens", 120),
    top_k: number("top_k", 0),
    top_p: number("top_p", 1),
    min_p: number("min_p", 0),
    filter_at: inputs.filter_at.value,
    filters: inputs.filters.value.trim() || null,
    stop: lines("stop"),
    zones: lines("zones"),
  };
}
