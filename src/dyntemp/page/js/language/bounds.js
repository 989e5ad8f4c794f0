// The range of a policy's temperature: interval analysis over the ranges of its signals and parameters, as in Python.

import { PolicyError } from "../errors.js";
import { CALCULATIONS } from "./functions.js";
import { DomainError, IndeterminateError, interval, intervalDifference, intervalNegative } from "./interval.js";
import { intervalPower, intervalProduct, intervalQuotient, intervalSum, isPoint, product, union } from "./interval.js";
import { general, most } from "../numbers.js";
import { walk } from "./nodes.js";
import { signalRange } from "./signals.js";

const MAX_PIECES = 64;
const MAX_WORK = 20_000;
const MAX_CORNERS = 6;
const MEANT = { H: "entropy", h: "entropy", p: "max_prob", P: "max_prob", T: "requested", n: "support" };
/** The values of `inside`. */
const ZERO_OR_ONE = [interval(0, 0), interval(1, 1)];
const ARITHMETIC = {
  "+": intervalSum,
  "-": intervalDifference,
  "*": intervalProduct,
  "/": intervalQuotient,
  "**": intervalPower,
};

/** Computes bounds with a table's functions and limits. */
export class Analysis {
  constructor(functions, limits) {
    this.functions = functions;
    this.limits = limits;
  }

  /** An interval that encloses every value of `expression` on rows of `support` entries, or of any number. */
  bounds(expression, support = null) {
    const ranges = this.ranges(expression, support);
    const found = pieces(expression, ranges).map((piece) =>
      this.enclose(expression, new Map([...ranges, ...piece]), ranges),
    );
    return union(found);
  }

  /** The range of each signal and parameter in `expression`, by its text. */
  ranges(expression, support = null) {
    const { support: largest } = this.limits;
    if (support !== null && !(Number.isInteger(support) && support >= 1 && support <= largest)) {
      throw new PolicyError(`a support of ${support} was given; rows have 1 to ${largest} unmasked entries`);
    }
    const size = support === null ? interval(1, largest) : interval(support, support);
    const ranges = new Map();
    for (const parameter of parametersOf(expression).values()) {
      if (parameter.low === null) throw new PolicyError(unboundMessage(expression, parameter));
      ranges.set(parameter.text, interval(parameter.low, parameter.high));
    }
    for (const node of walk(expression)) {
      if (node.kind === "signal") ranges.set(node.text, signalRange(node, size, this.limits));
    }
    return ranges;
  }

  /** The interval of `node`, with its leaves in `ranges` now and in `always` at other positions. */
  enclose(node, ranges, always = ranges) {
    try {
      return this.span(node, ranges, always);
    } catch (error) {
      if (error instanceof DomainError) {
        throw new PolicyError(`\`${node.text}\` has no value where ${error.message}: ${error.instead}`);
      }
      if (error instanceof IndeterminateError) throw refusal(node, error.message);
      throw error;
    }
  }

  span(node, ranges, always) {
    switch (node.kind) {
      case "const":
        return interval(node.value, node.value);
      case "signal":
        if (node.name === "temperature_for_entropy") this.enclose(node.parts[0], ranges, always);
        return ranges.get(node.text);
      case "parameter":
        return ranges.get(node.text);
      case "comparison":
        node.parts.forEach((part) => this.enclose(part, ranges, always));
        return interval(0, 1);
      case "call": {
        const now = this.functions.get(node.name).remembers ? always : ranges; // memories come from other rows
        return CALCULATIONS[node.name].bounds(...node.parts.map((part) => this.enclose(part, now, always)));
      }
      default: {
        const operands = node.parts.map((part) => this.enclose(part, ranges, always));
        return node.kind === "negate" ? intervalNegative(...operands) : ARITHMETIC[node.name](...operands);
      }
    }
  }

  /** Refuse a policy that may be negative. `bounds` itself refuses one that may be undefined. */
  check(expression) {
    const { low } = this.bounds(expression);
    if (!(low < 0)) return;
    const moving = walk(expression).filter(isLeaf);
    const surely = moving.length < 2 ? "can reach" : "may reach";
    throw new PolicyError(
      `\`${expression.text}\` ${surely} a temperature of ${general(low)}${this.place(expression, low)}: ` +
        "add `clip(..., 0.05, 2)` or floor=0.05",
    );
  }

  /** ` (at max_prob = 1)` where the lowest value is reached with every leaf at an end of its range. */
  place(expression, low) {
    const ranges = this.ranges(expression);
    const varying = [...ranges].filter(([, range]) => !isPoint(range));
    if (varying.length < 1 || varying.length > MAX_CORNERS) return "";
    for (const ends of product(varying.map(([, range]) => [range.low, range.high]))) {
      const corner = varying.map(([leaf], at) => [leaf, interval(ends[at], ends[at])]);
      if (this.lowest(expression, new Map([...ranges, ...corner])) === low) {
        return ` (at ${varying.map(([leaf], at) => `${leaf} = ${general(ends[at])}`).join(", ")})`;
      }
    }
    return "";
  }

  lowest(expression, ranges) {
    try {
      return this.enclose(expression, ranges).low;
    } catch (error) {
      if (error instanceof PolicyError) return NaN;
      throw error;
    }
  }
}

function isLeaf(node) {
  return node.kind === "signal" || node.kind === "parameter";
}

/** The parameters in `expression` by name, in order of appearance; one name with two ranges is refused. */
export function parametersOf(expression) {
  const found = new Map();
  for (const node of walk(expression)) {
    if (node.kind !== "parameter") continue;
    if (!found.has(node.name)) found.set(node.name, node);
    if (found.get(node.name).text !== node.text) {
      throw new PolicyError(`parameter '${node.name}' occurs with two ranges: give it one`);
    }
  }
  return found;
}

/** The message about a parameter that has no value, and perhaps no range. */
export function unboundMessage(expression, { name, low }) {
  if (low !== null) {
    return `parameter \`${name}\` of \`${expression.text}\` has no value: bind it, or pass parameters={'${name}': ...}`;
  }
  const hint = Object.hasOwn(MEANT, name) ? `; if you meant the signal, write \`${MEANT[name]}\`` : "";
  return (
    `\`${expression.text}\` is a template: its parameter \`${name}\` has no value. ` +
    `Bind it, policy.bind(${name}=0.5), or give it a range, param("${name}", low, high)${hint}`
  );
}

/** Every combination of pieces of ranges: `inside` is 0 or 1; others that occur more than once are cut evenly. */
function pieces(expression, ranges) {
  const count = new Map();
  const inside = new Set();
  for (const node of walk(expression)) {
    if (isLeaf(node)) count.set(node.text, (count.get(node.text) ?? 0) + 1);
    if (node.kind === "signal" && node.name === "inside") inside.add(node.text);
  }
  const isSplit = ([leaf, times]) => {
    const { low, high } = ranges.get(leaf);
    return times > 1 && Number.isFinite(high - low) && low !== high && !inside.has(leaf);
  };
  const leaves = [...count].filter(isSplit).map(([leaf]) => leaf);
  const halvings = (cells) => cells.toString(2).length - 1;
  const all = most(Math.floor(MAX_WORK / expression.size), 1);
  const zones = [...inside].slice(0, halvings(all));
  const cells = Math.floor(all / 2 ** zones.length);
  const each = Math.min(MAX_PIECES, Math.floor(cells ** (1 / most(leaves.length, 1))));
  const split = each < 2 ? leaves.slice(0, halvings(cells)) : leaves;
  return product([
    ...zones.map((leaf) => ZERO_OR_ONE.map((piece) => [leaf, piece])),
    ...split.map((leaf) => cut(ranges.get(leaf), most(each, 2)).map((piece) => [leaf, piece])),
  ]);
}

function cut({ low, high }, count) {
  const ends = Array.from({ length: count }, (_, at) => low + (high - low) * (at / count));
  return ends.map((end, at) => interval(end, at + 1 < count ? ends[at + 1] : high));
}

function refusal(node, form) {
  return new PolicyError(`\`${node.text}\` can reach ${form}, which has no value: ${remedy(node, form)}`);
}

function remedy(node, form) {
  const [left, right] = node.parts;
  if (node.kind === "binary" && node.name === "/") {
    if (left.text === "entropy" && right.text === "log(support)") {
      return "write `normalized_entropy`, which is 0 where the support is 1";
    }
    if (form !== "inf/inf") return `keep the divisor away from zero, such as \`max(${right.text}, 1e-3)\``;
  }
  if (node.kind === "binary" && node.name === "**") {
    return `limit the base or the exponent, such as \`clip(${left.text}, 1e-3, 10)\``;
  }
  return "limit what grows without end, with `clip(..., low, high)`";
}
