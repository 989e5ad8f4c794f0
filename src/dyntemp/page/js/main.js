/** Where the page begins: its data, its parts, and what passes between them. */

import { CurveEditor } from "./view/curve.js";
import { announce, byId, debounced, element } from "./view/dom.js";
import { PolicyError } from "./errors.js";
import { Evaluation } from "./language/evaluate.js";
import { helpList, methodMenu } from "./view/help.js";
import { makeLanguage } from "./language/policy.js";
import { mostTorn } from "./view/jumps.js";
import { isLearning, readLearning } from "./learning/file.js";
import { LearningView } from "./view/learning.js";
import { modelInfo } from "./view/live.js";
import { hashOf, link, linked } from "./view/permalink.js";
import { PolicyBox } from "./view/policybox.js";
import { Studio } from "./view/studio.js";
import { makeThemes } from "./view/themes.js";
import { readTrace, requestsOf, writeTrace } from "./traces/file.js";
import { Verdicts } from "./view/verdicts.js";
import { Shelf, Writer } from "./view/writer.js";

/** Where the card stands beside the text, and not over it, one is open from the start. */
const WIDE = "(min-width: 64.0625rem)";

const data = JSON.parse(byId("data").textContent);
const { parse, read } = makeLanguage(data.table);
const shelf = new Shelf((text) => show(text));
let writer = null;
let verdicts = null;
let example = null;

const first = new PolicyBox({
  id: "policy",
  label: "Policy",
  table: data.table,
  parse,
  onPolicy: (policy) => {
    studio.under(policy);
    judge();
  },
});
const second = new PolicyBox({
  id: "second-policy",
  label: "Second policy",
  table: data.table,
  parse,
  onPolicy: (policy) => studio.under(policy, true),
});
const curve = new CurveEditor({
  onEdit: debounced((text) => first.write(text), 30),
  onUndo: (again) => first.undo(again),
  temperatureAt,
});
const studio = new Studio({
  parse,
  curve,
  steer: (column, at) => writer?.steer(column, at) ?? null,
  onChange: debounced(remember, 200),
});

const learning = new LearningView({ onUse: usePolicy, addressOf: (policy) => hashOf({ example, policy }) });

/** Put a policy into the box, and go there. */
function usePolicy(text) {
  first.write(text);
  first.editor.focus();
  first.root.scrollIntoView({ block: "center" });
  announce("The policy stands in the box, and the text below is replayed under it.");
}

/** The temperature of a policy of one signal, or of none, where that signal is `x`; NaN outside the signal's range. */
function temperatureAt(policy, signal, x) {
  try {
    return new Evaluation(policy).step({ [signal]: x }, 0).temperature;
  } catch (error) {
    if (error instanceof PolicyError) return NaN;
    throw error;
  }
}

/** Put a text on the desk, its own policy in the box unless another is asked for. */
function show(text, policy = null) {
  const [own, other] = text.runs.map((run) => run.header.policy);
  studio.policy = studio.read(policy ?? own);
  studio.second = other ? studio.read(other) : null;
  present(text);
  if (other) second.write(other);
  compare(Boolean(other));
  first.write(policy ?? own);
  if (matchMedia(WIDE).matches) studio.choose(studio.active, mostTorn(studio.active.tokens)[0] ?? 0);
}

/** Put a text on the desk, under the policies in force. */
function present(text) {
  studio.show(text);
  for (const column of studio.columns) column.source = text.source;
  shelf.current(text);
  byId("save").replaceChildren(
    ...studio.columns.map((column, at) => saveButton(column, studio.columns.length > 1 ? "AB"[at] : "")),
  );
}

/** True if there is a second policy. */
function compare(whether) {
  byId("compare").checked = whether;
  byId("second-place").hidden = !whether;
}

function saveButton(column, which) {
  return element(
    "button",
    { type: "button", click: () => save(column.run) },
    `Save trace${which ? ` ${which}` : ""}`,
  );
}

/** Save a run as a trace file. */
function save(run) {
  const address = URL.createObjectURL(
    new Blob([writeTrace(run.header, run.tokens)], { type: "application/jsonl" }),
  );
  element("a", { href: address, download: "trace.jsonl" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** Open the text of a trace file; each of its requests is a text of its own. */
function open(name, lines, teaches = null, keep = true) {
  const { header, tokens, note } = readTrace(lines);
  const requests = requestsOf(tokens);
  const texts = requests.map((one) => ({
    title: requests.length > 1 ? `${name}, request ${one.request}` : name,
    teaches,
    label: "opened",
    note,
    runs: [{ header, tokens: one.tokens }],
  }));
  if (keep || texts.length > 1) texts.forEach((text) => shelf.add(text));
  return texts[0];
}

/** Open files that were picked or dropped, and show each; those that cannot be read are told, all of them. */
async function openFiles(files) {
  const problems = [];
  for (const file of files) {
    try {
      const contents = await file.text();
      if (isLearning(contents)) {
        openLearning(file.name, contents);
        continue;
      }
      const text = open(file.name, contents);
      example = null;
      byId("example").value = "";
      show(text);
      announce(`${file.name} is open.${text.note ? ` Note: ${text.note}.` : ""}`);
    } catch (error) {
      problems.push(`${file.name}: ${error.message}`);
    }
  }
  tellProblems(problems);
}

/** Open the traces that came with the page, and show the first that can be read. */
function openTraces(traces) {
  const problems = [];
  const texts = [];
  for (const { name, lines } of traces) {
    try {
      texts.push(open(name, lines));
    } catch (error) {
      problems.push(`${name}: ${error.message}`);
    }
  }
  tellProblems(problems);
  if (texts.length) show(texts[0]);
}

/** Open the text of a file of learning, and show it. */
function openLearning(name, text) {
  learning.add(name, readLearning(text, read));
  byId("welcome").hidden = true;
  byId("learning").scrollIntoView({ block: "nearest" });
  announce(`${name} is open: a learning.`);
}

/** Open the learnings that came with the page. */
function openLearnings(learnings) {
  for (const { name, text } of learnings) openLearning(name, text);
}

function tellProblems(problems) {
  byId("open-error").textContent = problems.join("\n");
  byId("open-error").hidden = !problems.length;
}

function showExample(at, policy = null) {
  const chosen = data.examples[at];
  example = at;
  byId("example").value = String(at);
  chosen.text ??= open(chosen.title, chosen.lines, chosen.teaches, false);
  show(chosen.text, policy);
}

/** Tell the verdicts on the first policy, on the rows of the text that is shown. */
function judge() {
  if (first.policy) verdicts?.on(first.policy.text, studio.active?.tokens[0]?.signals.support ?? null);
}

/** Write the state of the page into the address. */
function remember() {
  const policy = studio.policy?.text;
  const recorded = studio.active ? studio.recorded(studio.active) : null;
  link({
    example,
    policy: policy === recorded ? null : policy,
    at: studio.chosen?.at,
    colour: studio.quantity === "temperature" ? null : studio.quantity,
  });
}

/** Show the state in the address. */
function follow() {
  const { example: wanted, policy, colour, at } = linked();
  if (colour) studio.quantity = colour;
  const place = wanted === null ? NaN : Number(wanted);
  if (data.examples[place]) showExample(place, policy);
  else if (policy && studio.columns.length) first.write(policy);
  if (at !== null && studio.active?.tokens[Number(at)]) studio.choose(studio.active, Number(at));
}

function layOut() {
  byId("policy-place").append(first.root);
  byId("second-place").append(second.root);
  byId("curve-place").append(curve.root);
  const { menu, about } = methodMenu(data.methods, (method) => first.write(method.policy));
  byId("method-place").append(
    element("label", { for: "method", class: "hidden" }, "Begin with a published method"),
    menu,
  );
  byId("method-about").append(about);
  byId("help").append(...helpList(data.table, (piece) => first.insert(piece)));
  byId("recorded").addEventListener(
    "click",
    () => studio.active && first.write(studio.recorded(studio.active)),
  );
  byId("example").append(
    element("option", { value: "", disabled: true }, "Examples ..."),
    ...data.examples.map((one, at) => element("option", { value: String(at) }, one.title)),
  );
  byId("example-place").hidden = !data.examples.length;
  byId("example").addEventListener("change", (event) => showExample(Number(event.target.value)));
  byId("open").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", async (event) => {
    await openFiles([...event.target.files]);
    event.target.value = "";
  });
  byId("compare").addEventListener("change", (event) => {
    compare(event.target.checked);
    if (event.target.checked && !second.policy) second.write("1");
  });
  makeThemes(byId("theme"));
  takeDrops();
  addEventListener("hashchange", follow);
}

/** Files may be dropped anywhere. */
function takeDrops() {
  const over = (whether) => document.body.classList.toggle("dropping", whether);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget ?? over(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    openFiles([...event.dataTransfer.files]);
  });
}

/** The policies to write with, or null where one has an error. */
function policies() {
  const asked = byId("compare").checked ? [first, second] : [first];
  return asked.every((box) => box.read()) ? asked.map((box) => box.policy.text) : null;
}

async function begin() {
  layOut();
  openTraces(data.traces);
  openLearnings(data.learnings);
  follow();
  if (!studio.columns.length && data.examples.length) showExample(0);
  const info = data.server ? await modelInfo() : null;
  verdicts = data.server ? new Verdicts() : null;
  judge();
  if (info) {
    writer = new Writer({
      info,
      studio,
      policies,
      onText: (text) => {
        example = null;
        byId("example").value = "";
        shelf.add(text);
        present(text);
      },
    });
    byId("compare-place").hidden = false;
    studio.tellCard();
    if (!first.policy) first.write(info.defaults.policy);
  }
  byId("welcome").hidden = Boolean(info) || studio.columns.length > 0 || data.learnings.length > 0;
  document.documentElement.dataset.ready = "yes";
}

begin();
