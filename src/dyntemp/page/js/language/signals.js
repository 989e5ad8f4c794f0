// The signals of the policy language: how their arguments are checked, and which ranges they have.

import { PolicyError } from "../errors.js";
import { interval, widened } from "./interval.js";
import { walk } from "./nodes.js";

const UNIT = () => interval(0, 1);
const NAME = /^[A-Za-z_][A-Za-z_0-9]*$/;

function atLeastUniform(support) {
  return interval(1 / support.high, 1);
}

/** At least n - k entries are as large as the k-th smallest, and they sum to at most 1. */
function quantileBounds(support, q) {
  if (support.low === 1) return UNIT();
  if (q === 0) return interval(0, 1 / support.low);
  const n = support.low; // the bound falls as n grows
  return interval(0, widened(interval(0, 1 / Math.max(n - Math.ceil(q * (n - 1)), 1))).high);
}

/** The range of each signal, given the interval of the support, the numbers in its parentheses and the limits. */
const RANGES = {
  max_prob: atLeastUniform,
  entropy: (support) => interval(0, widened(interval(0, Math.log(support.high))).high),
  normalized_entropy: (support) => interval(0, support.high === 1 ? 0 : 1),
  perplexity: (support) => interval(1, support.high > 1 ? widened(support).high : 1),
  quantile: (support, [q]) => quantileBounds(support, q),
  median_prob: (support) => quantileBounds(support, 0.5),
  margin: (support) => interval(support.high === 1 ? 1 : 0, 1),
  collision: atLeastUniform,
  varentropy: (support) => interval(0, support.high < 2 ? 0 : Math.log(support.high - 1) ** 2 / 4 + 1),
  top_mass: (support, [k]) => interval(Math.min(k, support.high) / support.high, 1),
  support: (support) => support,
  temperature_for_entropy: () => interval(0, Infinity),
  position: (support, numbers, limits) => interval(0, limits.position),
  surprisal: (support, numbers, limits) => interval(0, limits.surprisal),
  requested: (support, numbers, limits) => interval(0, limits.requested),
  entries: (support, numbers, limits) => interval(support.low, limits.support),
  inside: UNIT,
  divergence: (support, numbers, limits) => interval(0, limits.divergence),
  given: (support, [low, high]) => interval(low, high),
};

/** The method of `SignalBuilder` that checks the arguments of each signal that has some. */
const CHECKS = {
  quantile: "quantile",
  top_mass: "topMass",
  temperature_for_entropy: "target",
  inside: "inside",
  given: "given",
};

/** True if the signal `name` has a range here. */
export function hasRange(name) {
  return Object.hasOwn(RANGES, name);
}

/** The range of the signal `node` on rows whose support lies in the interval `support`. */
export function signalRange(node, support, limits) {
  return RANGES[node.name](support, node.parts.map((part) => part.value), limits);
}

/** True if `node` keeps a number from one position of a request to the next. */
export function ownsCell(node, functions) {
  if (node.kind === "call") return functions.get(node.name).remembers;
  return node.kind === "signal" && node.name === "surprisal";
}

/** Makes signals, their arguments checked by the table's records. */
export class SignalBuilder {
  constructor(table, builder) {
    this.records = new Map(table.signals.map((record) => [record.name, record]));
    this.limits = table.limits;
    this.builder = builder;
  }

  /** The signal `name`; `found` are nodes, and texts for names in quotes. */
  make(name, found) {
    const record = this.records.get(name);
    const wanted = record.arguments.length;
    if (found.length !== wanted) {
      const plural = wanted === 1 ? "" : "s";
      throw new PolicyError(
        `\`${record.spelling}\` takes ${wanted || "no"} argument${plural}, but ${found.length} were given`,
      );
    }
    return wanted ? this[CHECKS[name]](record, found) : this.builder.node("signal", { name });
  }

  quantile(record, [value]) {
    const q = this.number(record, "q", value);
    if (!(q.value >= 0 && q.value <= 1)) {
      throw new PolicyError(
        `\`quantile(${q.text})\` asks for a share outside 0 to 1; the median is quantile(0.5)`,
      );
    }
    return this.builder.node("signal", { name: record.name, parts: [q] });
  }

  topMass(record, [value]) {
    const k = this.number(record, "k", value);
    if (!(Number.isInteger(k.value) && k.value >= 1 && k.value <= this.limits.support)) {
      throw new PolicyError(
        `\`top_mass(${k.text})\` counts tokens: k is a whole number from 1 to ${this.limits.support}`,
      );
    }
    return this.builder.node("signal", { name: record.name, parts: [k] });
  }

  target(record, [value]) {
    const target = this.expression(value);
    const { functions } = this.builder;
    const itself = (node) => node.kind === "signal" && node.name === record.name;
    if (walk(target).some((node) => ownsCell(node, functions) || itself(node))) {
      throw new PolicyError(
        `the target of \`${record.name}\` may use neither ${record.name} itself nor anything that remembers (ema, ` +
          "prev, integral, surprisal): it is solved for one row at a time",
      );
    }
    return this.builder.node("signal", { name: record.name, parts: [target] });
  }

  inside(record, [key]) {
    if (typeof key !== "string" || !NAME.test(key)) {
      throw new PolicyError(`\`${record.spelling}\` names its zone in quotes: inside("think")`);
    }
    return this.builder.node("signal", { name: record.name, key, parts: [] });
  }

  given(record, [key, ...ends]) {
    const [low, high] = ends.map((value, at) => this.number(record, ["low", "high"][at], value));
    if (typeof key !== "string" || !NAME.test(key)) {
      throw new PolicyError(`\`${record.spelling}\` names its number in quotes: given("kl", 0, 20)`);
    }
    if (!(low.value < high.value)) {
      throw new PolicyError(`\`given\` has the empty range ${low.text} to ${high.text}: low must be below high`);
    }
    return this.builder.node("signal", { name: record.name, key, parts: [low, high] });
  }

  number(record, argument, value) {
    const lifted = typeof value === "string" ? value : this.builder.expression(value);
    if (lifted.isConst) return lifted;
    const shown = typeof value === "string" ? value : value.text;
    throw new PolicyError(`\`${argument}\` of \`${record.spelling}\` must be a number, but \`${shown}\` was given`);
  }

  expression(value) {
    if (typeof value !== "string") return this.builder.expression(value);
    throw new PolicyError(
      "a policy is made of signals and real numbers, but str was given. Arrays and tensors have no place in a " +
        "policy: use a parameter, and bind it",
    );
  }
}
