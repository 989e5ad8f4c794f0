// Policy and signals -> temperature and terms, position by position of one request.

import { unboundMessage } from "./bounds.js";
import { PolicyError } from "../errors.js";
import { clipped } from "./functions.js";
import { general, shortest } from "../numbers.js";
import { valueOf } from "./nodes.js";
import { signalRange } from "./signals.js";
import { suggestion } from "./suggest.js";

/**
 * One request under `policy`, which remembers from one step to the next.
 *
 * `parameters` gives the values of free parameters by name.
 */
export class Evaluation {
  constructor(policy, parameters = {}) {
    this.policy = policy;
    this.parameters = boundParameters(policy, parameters);
    this.position = -1;
    this.surprisal = NaN;
    this.before = new Map();
    this.now = new Map();
  }

  /** `{temperature, terms}` where `signals` gives the value of each signal that the policy reads, by its text. */
  step(signals, position) {
    const values = { position, requested: 1, ...signals };
    for (const { text, node } of this.policy.needs) this.#check(text, node, values);
    if (position !== this.position) {
      const follows = position === this.position + 1;
      this.before = follows ? this.now : new Map();
      if (!follows) this.surprisal = NaN;
    }
    this.now = new Map();
    this.position = position;
    const compute = (node) => this.#value(node, values);
    const temperature = compute(this.policy.computed) + 0;
    return { temperature, terms: this.policy.parts.map((part) => part.value(compute)) };
  }

  /** Tell the surprisal, in nats, of the token drawn at the position of the last step. */
  observe(surprisal) {
    this.surprisal = clipped(surprisal, 0, this.policy.limits.surprisal);
  }

  #check(text, node, values) {
    const policy = this.policy.text;
    if (!Object.hasOwn(values, text)) {
      const given = Object.keys(values).join(", ");
      throw new PolicyError(`\`${policy}\` reads \`${text}\`, which was not among the signals given: ${given}`);
    }
    const { limits } = this.policy;
    const { low, high } = signalRange(node, { low: 1, high: limits.support }, limits);
    if (!(low <= values[text] && values[text] <= high)) {
      const range = `its range of ${general(low)} to ${general(high)}`;
      throw new PolicyError(`\`${text}\` was given ${values[text]}, outside ${range}, in \`${policy}\``);
    }
  }

  #value(node, values) {
    switch (node.kind) {
      case "const":
        return node.value;
      case "parameter":
        return this.parameters.get(node.name);
      case "signal":
        if (node.name !== "surprisal") return values[node.text];
        return Number.isNaN(this.surprisal) ? values.entropy : this.surprisal;
      case "negate":
        return -this.#value(node.parts[0], values);
      default: {
        const operands = node.parts.map((part) => this.#value(part, values));
        return Object.hasOwn(MEMORIES, node.name) ? this.#remembered(node, operands) : valueOf(node, operands);
      }
    }
  }

  #remembered(node, operands) {
    const old = this.before.get(node.text);
    const { value, kept } = MEMORIES[node.name](old === undefined || Number.isNaN(old) ? null : old, ...operands);
    this.now.set(node.text, kept);
    return value;
  }
}

/** The value that each function with memory returns and keeps; `old` is null at the first position. */
export const MEMORIES = {
  ema(old, x, decay) {
    const from = old ?? x;
    const mean = clipped(decay * from + (1 - decay) * x, Math.min(from, x), Math.max(from, x));
    return { value: mean, kept: mean };
  },
  prev(old, x) {
    return { value: old ?? x, kept: x };
  },
  integral(old, x, low, high) {
    const total = clipped((old ?? 0) + x, low, high);
    return { value: total, kept: total };
  },
};

/** The value of each free parameter, checked. */
function boundParameters(policy, values) {
  const found = new Map();
  for (const [name, value] of Object.entries(values)) {
    const parameter = policy.parameters.find((one) => one.name === name);
    if (!parameter) {
      const names = policy.parameters.map((one) => one.name);
      const known = names.length ? `its parameters are ${names.join(", ")}` : "it has none";
      throw new PolicyError(`no parameter \`${name}\` in this policy; ${known}${suggestion(name, names)}`);
    }
    const { low, high } = parameter;
    if (low !== null && !(low <= value && value <= high)) {
      const range = `its range of ${general(low)} to ${general(high)}`;
      throw new PolicyError(`\`${name}\` = ${shortest(value)} was given, outside ${range}`);
    }
    found.set(name, value);
  }
  const unbound = policy.parameters.find(({ name, low }) => low === null || !found.has(name));
  if (unbound) throw new PolicyError(unboundMessage(policy.expression, unbound));
  return found;
}
