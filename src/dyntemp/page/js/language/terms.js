// A policy's temperature as a sum of terms, and the value of each term, as in Python.

const LIMITS = ["clip", "max", "min"];

/** One term: its text with its sign; `inner` is the sum inside a limit, which adds what it changes. */
class Part {
  constructor(text, node, { negative = false, inner = null } = {}) {
    Object.assign(this, { text, node, negative, inner });
  }

  /** The value of the term; `compute` returns the value of a node. */
  value(compute) {
    let value = compute(this.node);
    if (this.inner !== null) {
      const inside = compute(this.inner);
      value = value === inside ? 0 : value - inside;
    }
    return this.negative ? -value : value;
  }
}

/** The parts that add up to `expression`; an outermost limit with numbers adds what it changes, mostly 0. */
export function partsOf(expression, builder) {
  const limited = limitedBy(expression);
  if (!limited) return split(expression, false, builder);
  const shown = expression.parts.map((part) => (part === limited ? "..." : part.text)).join(", ");
  const limit = new Part(`${expression.name}(${shown})`, expression, { inner: limited });
  return [...partsOf(limited, builder), limit];
}

/** The argument of an outermost `clip`, `min` or `max` whose other arguments are numbers; else null. */
function limitedBy(node) {
  if (node.kind !== "call" || !LIMITS.includes(node.name)) return null;
  const moving = node.parts.filter((part) => !part.isConst);
  const isLimit = moving.length === 1 && (node.name !== "clip" || moving[0] === node.parts[0]);
  return isLimit ? moving[0] : null;
}

function split(node, negative, builder) {
  const [first, second, third] = node.parts;
  if (node.kind === "binary" && (node.name === "+" || node.name === "-")) {
    return [...split(first, negative, builder), ...split(second, negative !== (node.name === "-"), builder)];
  }
  if (node.kind === "negate") return split(first, !negative, builder);
  if (node.kind === "call" && node.name === "lerp") {
    const rise = builder.binary("*", builder.binary("-", second, first), third);
    return [...split(first, negative, builder), ...split(rise, negative, builder)];
  }
  const { text } = node;
  const signed = text.startsWith("-") ? `-(${text})` : `-${text}`;
  return [new Part(negative ? signed : text, node, { negative })];
}
