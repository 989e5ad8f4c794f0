// The nodes of a policy, and their text. Operations on numbers are computed at once; equal texts are equal nodes.

import { PolicyError } from "../errors.js";
import { CALCULATIONS } from "./functions.js";
import { divided, raised } from "./interval.js";
import { shortest } from "../numbers.js";

const ATOM = 5;
const NEGATION = 3;
const PARAMETER_NAME = /^[A-Za-z][0-9]*$/;
const OPERATORS = {
  "+": { precedence: 1, value: (x, y) => x + y },
  "-": { precedence: 1, value: (x, y) => x - y },
  "*": { precedence: 2, value: (x, y) => x * y },
  "/": { precedence: 2, value: divided },
  "**": { precedence: 4, value: raised },
};
const COMPARISONS = {
  "<": (x, y) => x < y,
  "<=": (x, y) => x <= y,
  ">": (x, y) => x > y,
  ">=": (x, y) => x >= y,
};

/** The function of numbers that an operator, a comparison or a function without memory computes. */
export function calculationOf({ kind, name }) {
  if (kind === "call") return CALCULATIONS[name].value;
  return OPERATORS[name]?.value ?? COMPARISONS[name];
}

/** The value of an operator, comparison or function without memory on `operands`. */
export function valueOf(node, operands) {
  return calculationOf(node)(...operands);
}

/**
 * One part of a policy. `kind` is const, parameter, signal, negate, binary, comparison or call; `name` the operator's,
 * signal's, function's or parameter's; `parts` the nodes below it, left to right.
 */
export class Node {
  constructor(kind, fields, limits) {
    Object.assign(this, { kind, name: null, value: null, parts: [], key: null, low: null, high: null }, fields);
    this.depth = 1 + Math.max(0, ...this.parts.map((part) => part.depth));
    this.size = 1 + this.parts.reduce((sum, part) => sum + part.size, 0);
    if (this.depth > limits.depth || this.size > limits.size) {
      throw new PolicyError(
        `this expression has ${this.size} parts nested ${this.depth} deep; at most ${limits.size} parts and a depth ` +
          `of ${limits.depth} are allowed: write it with fewer operations`,
      );
    }
    this.written = null;
  }

  get isConst() {
    return this.kind === "const";
  }

  /** The one-line text that reads back as an equal node. */
  get text() {
    return this.#write().text;
  }

  #write() {
    this.written ??= written(this);
    return this.written;
  }

  /** Its text, in parentheses where it binds less tightly than `precedence`. */
  within(precedence) {
    const { text, precedence: own } = this.#write();
    return own >= precedence ? text : `(${text})`;
  }
}

function written(node) {
  const inside = node.parts.map((part) => part.text).join(", ");
  switch (node.kind) {
    case "const":
      return { text: shortest(node.value), precedence: node.value < 0 ? NEGATION : ATOM };
    case "parameter":
      return { text: parameterText(node), precedence: ATOM };
    case "signal": {
      const named = [node.key === null ? "" : `"${node.key}"`, inside].filter(Boolean).join(", ");
      return { text: named ? `${node.name}(${named})` : node.name, precedence: ATOM };
    }
    case "call":
      return { text: `${node.name}(${inside})`, precedence: ATOM };
    case "negate":
      return { text: `-${node.parts[0].within(NEGATION)}`, precedence: NEGATION };
    case "comparison":
      return { text: `${node.parts[0].text} ${node.name} ${node.parts[1].text}`, precedence: 0 };
    default:
      return binaryText(node);
  }
}

function parameterText({ name, low, high }) {
  return low === null ? name : `param("${name}", ${shortest(low)}, ${shortest(high)})`;
}

function binaryText({ name, parts: [left, right] }) {
  const { precedence } = OPERATORS[name];
  // `a**b**c` is `a**(b**c)`, and `-a**b` is `-(a**b)`
  if (name === "**") return { text: `${left.within(ATOM)}**${right.within(NEGATION)}`, precedence };
  const space = precedence === 1 ? " " : "";
  return { text: `${left.within(precedence)}${space}${name}${space}${right.within(precedence + 1)}`, precedence };
}

/** `node` and everything below it, each node before what is below. */
export function walk(node) {
  return [node, ...node.parts.flatMap(walk)];
}

/** Puts nodes together, with the table's functions and limits. */
export class Builder {
  constructor(table) {
    this.functions = new Map(table.functions.map((record) => [record.name, record]));
    this.limits = table.limits;
  }

  node(kind, fields) {
    return new Node(kind, fields, this.limits);
  }

  number(value) {
    if (!Number.isFinite(value)) {
      throw new PolicyError(`the number ${shortest(value)} was given; a policy is written with finite numbers`);
    }
    return this.node("const", { value: value + 0 });
  }

  /** `node`, where it is a number or an expression. */
  expression(node) {
    if (node.kind !== "comparison") return node;
    throw new PolicyError(`\`${node.text}\` is a comparison, not a number: write \`where(${node.text}, 1, 0)\``);
  }

  /** `node`, computed at once where all below it are numbers and the result is finite. */
  folded(node) {
    if (!node.parts.every((part) => part.isConst)) return node;
    const value = valueOf(node, node.parts.map((part) => part.value));
    return Number.isFinite(value) ? this.number(value) : node;
  }

  binary(name, left, right) {
    return this.folded(this.node("binary", { name, parts: [left, right] }));
  }

  comparison(name, left, right) {
    return this.node("comparison", { name, parts: [left, right] });
  }

  negate(operand) {
    return operand.isConst ? this.number(-operand.value) : this.node("negate", { parts: [operand] });
  }

  call(name, parts) {
    const record = this.functions.get(name);
    const shown = `${name}(${record.arguments.join(", ")})`;
    const wanted = record.arguments.length;
    if (record.arguments.at(-1) === "...") {
      if (parts.length < wanted - 1) {
        throw new PolicyError(`\`${shown}\` takes at least ${wanted - 1} arguments, but ${parts.length} were given`);
      }
    } else if (parts.length !== wanted) {
      const plural = wanted === 1 ? "" : "s";
      throw new PolicyError(`\`${shown}\` takes ${wanted} argument${plural}, but ${parts.length} were given`);
    }
    const [condition, ...rest] = parts;
    if (name === "where") {
      const branches = rest.map((part) => this.expression(part));
      return this.node("call", { name, parts: [this.condition(condition), ...branches] });
    }
    const lifted = parts.map((part) => this.expression(part));
    if (name === "clip" || name === "integral") this.ordered(shown, lifted[1], lifted[2]);
    const made = this.node("call", { name, parts: lifted });
    return record.remembers ? made : this.folded(made);
  }

  ordered(shown, low, high) {
    if (low.isConst && high.isConst && low.value > high.value) {
      throw new PolicyError(`\`${shown}\` was given low = ${low.text} above high = ${high.text}: swap them`);
    }
  }

  condition(node) {
    if (node.kind === "comparison") return node;
    throw new PolicyError(
      "the first argument of `where` is a comparison by `<`, `<=`, `>` or `>=`, such as `max_prob < 0.3`; " +
        `${node.text} was given. For \`==\` and \`!=\` write a narrow range: where(abs(x - y) < 1e-9, ...)`,
    );
  }

  /** A parameter without a range: one letter and digits; null for other names. */
  letter(name) {
    return PARAMETER_NAME.test(name) ? this.node("parameter", { name }) : null;
  }

  /** A copy of `node` with each part replaced by what `change` returns for it; null keeps the part. */
  rebuilt(node, change) {
    const changed = change(node);
    if (changed) return changed;
    const parts = node.parts.map((part) => this.rebuilt(part, change));
    if (parts.every((part, at) => part === node.parts[at])) return node;
    if (node.kind === "call") return this.call(node.name, parts);
    if (node.kind === "negate") return this.negate(parts[0]);
    if (node.kind === "binary") return this.binary(node.name, ...parts);
    return this.node(node.kind, { name: node.name, key: node.key, parts });
  }
}
