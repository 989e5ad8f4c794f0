// The policy language of dyntemp, from the table that Python writes: text -> policy, checked as Python checks it.

import { Analysis, parametersOf } from "./bounds.js";
import { CALCULATIONS } from "./functions.js";
import { Builder, walk } from "./nodes.js";
import { makeParse } from "./parse.js";
import { hasRange, ownsCell, SignalBuilder } from "./signals.js";
import { partsOf } from "./terms.js";

/**
 * The language of a table: `{parse(text), read(text)}`. Both return a policy or throw a PolicyError. `parse` proves that
 * the temperature cannot be negative or undefined; `read` leaves that proof out, for policies that Python has checked.
 */
export function makeLanguage(table) {
  const lacking = [
    ...table.functions.filter(({ name }) => !Object.hasOwn(CALCULATIONS, name)),
    ...table.signals.filter(({ name }) => !hasRange(name)),
  ];
  if (lacking.length) throw new Error(`this page does not compute ${lacking.map(({ name }) => name).join(", ")}`);
  const builder = new Builder(table);
  const expressionOf = makeParse(table, builder, new SignalBuilder(table, builder));
  const analysis = new Analysis(builder.functions, table.limits);
  const read = (text) => policyOf(expressionOf(text), { table, builder, analysis });
  return { read, parse: (text) => checked(read(text), analysis) };
}

/**
 * A policy: `{text, signals, remembers, parameters, isTemplate, bounds(support), terms}`, where `signals` are the texts
 * of those that have to be known, inner ones first, and `terms` those of the sum; the rest is for `Evaluation`.
 */
function policyOf(expression, { table, builder, analysis }) {
  const computed = simplified(expression, builder);
  const read = signalsOf(computed, builder);
  const parameters = [...parametersOf(expression).values()].map(({ name, low, high }) => ({ name, low, high }));
  const isTemplate = parameters.some(({ low }) => low === null);
  const parts = partsOf(computed, builder);
  const sources = new Map(table.signals.map(({ name, source }) => [name, source]));
  return {
    text: expression.text,
    signals: read.map(({ text }) => text),
    remembers: walk(computed).some((node) => ownsCell(node, builder.functions)),
    parameters,
    isTemplate,
    bounds: (support = null) => analysis.bounds(expression, support),
    terms: parts.map(({ text }) => text),
    expression,
    computed,
    parts,
    needs: read
      .filter(({ name }) => name !== "surprisal")
      .map((node) => ({ text: node.text, node, source: sources.get(node.name) })),
    limits: table.limits,
    zones: table.zones,
    purposes: table.purposes,
    bins: table.bins,
  };
}

/** `policy`, if its temperature is never negative or undefined; a template is checked once it is bound. */
function checked(policy, analysis) {
  if (!policy.isTemplate) analysis.check(policy.expression);
  return policy;
}

/** `expression` with `entropy` in place of `log(perplexity)`, which has the same value. */
function simplified(expression, builder) {
  return builder.rebuilt(expression, (node) =>
    node.kind === "call" && node.text === "log(perplexity)" ? builder.node("signal", { name: "entropy" }) : null,
  );
}

/** The distinct signals that have to be known, inner ones first; surprisal starts at the entropy. */
function signalsOf(computed, builder) {
  const found = new Map();
  for (const node of walk(computed).reverse()) {
    if (node.kind === "signal" && !found.has(node.text)) found.set(node.text, node);
  }
  const entropy = found.has("surprisal") && !found.has("entropy");
  return [...(entropy ? [builder.node("signal", { name: "entropy" })] : []), ...found.values()];
}
