// A policy as one JavaScript function of its signals, for curves that evaluate it at many points.

import { MEMORIES } from "./evaluate.js";
import { calculationOf } from "./nodes.js";

/**
 * The temperature of `policy`, which has no parameters, at the first position of a request, as a function of the
 * values of its signals by text.
 *
 * Functions with memory have the value that they have without an earlier position: `ema(x, d)` and `prev(x)` are x. The
 * ranges of the signals are not checked: `Evaluation` does that.
 */
export function compiled(policy) {
  const compute = functionOf(policy.computed);
  return (values) => compute(values) + 0;
}

function functionOf(node) {
  const { kind, name, value, text } = node;
  if (kind === "const") return () => value;
  if (kind === "signal" && name === "surprisal") return (values) => values.surprisal ?? values.entropy;
  if (kind === "signal") return (values) => values[text];
  const [first, second, third, ...more] = node.parts.map(functionOf);
  if (kind === "negate") return (values) => -first(values);
  const compute = Object.hasOwn(MEMORIES, name) ? (...operands) => MEMORIES[name](null, ...operands).value : calculationOf(node);
  if (!second) return (values) => compute(first(values));
  if (!third) return (values) => compute(first(values), second(values));
  const rest = (values) => more.map((part) => part(values));
  return (values) => compute(first(values), second(values), third(values), ...rest(values));
}
