// Replay of a recorded text under another policy: temperatures, probabilities, and the tokens of the coupled draw.
//
// Tokens are as trace files have them, numbers as numbers. Everything follows `dyntemp.replay`, to the last places.

import { entriesOf, tempered } from "../distribution/histogram.js";
import { PolicyError } from "../errors.js";
import { Evaluation } from "../language/evaluate.js";
import { most } from "../numbers.js";
import { uniform } from "../distribution/noise.js";
import { withZones } from "./zones.js";

/** How far apart two temperatures may be that one policy gave, relatively: models measure in float32. */
const SAME = 1e-6;

/** The signals that `policy` reads and these records do not hold; zones follow from the text. */
export function missing(tokens, policy) {
  const wanted = policy.needs
    .filter(({ source, node }) => source !== "context" && node.name !== "inside")
    .map(({ text }) => text);
  return wanted.filter((name) => tokens.some((token) => !Object.hasOwn(token.signals, name)));
}

/**
 * The tokens of one request, in order, under `policy`: for each `{temperature, terms: [{text, value}], alternatives,
 * probability, rest, error, entropyAfter, kept, instead}`. `seed` is that of the recorded run, as text or BigInt;
 * `before` tells the text before them, as `recordedText` does.
 */
export function replay(tokens, policy, { seed, requested = 1, given = {}, parameters = {}, before = {} }) {
  if (!tokens.length) return [];
  checkWhole(tokens);
  checkKnown(tokens, policy);
  const evaluation = new Evaluation(policy, parameters);
  const key = BigInt(seed);
  const recorded = withZones(tokens, policy, before);
  return tokens.map((token, at) => {
    const signals = signalsOf(recorded[at], policy, requested, given, token.position);
    const { temperature, terms } = evaluation.step(signals, token.position);
    evaluation.observe(token.surprisal);
    const shares = terms.map((value, part) => ({ text: policy.terms[part], value }));
    return { temperature, terms: shares, ...drawn(token, temperature, key, policy) };
  });
}

function checkWhole(tokens) {
  const [first] = tokens;
  if (tokens.some(({ request, position }, at) => request !== first.request || position !== first.position + at)) {
    throw new Error("tokens of several requests, or with gaps, were given; pass those of one request, in order");
  }
  for (const token of tokens) {
    const named = leftOf(token).filter(Boolean).length;
    if (!token.alternatives.length || entriesOf(token.rest) !== token.candidates - named) {
      throw new Error(
        `the record of position ${token.position} does not hold the whole row: record with this dyntemp, and with at least ` +
          "one alternative",
      );
    }
  }
}

function checkKnown(tokens, policy) {
  const { position } = tokens[0];
  if (policy.remembers && position > 0) {
    const begin = `these records begin at position ${position}`;
    throw new PolicyError(`\`${policy.text}\` remembers, and ${begin}: record from 0`);
  }
  const lacks = missing(tokens, policy);
  if (!lacks.length) return;
  const advice = lacks.includes("divergence")
    ? "under a policy that reads `divergence`, with contrast="
    : `with signals=[${lacks.map((name) => `'${name}'`).join(", ")}], or --record on the command line`;
  throw new PolicyError(
    `\`${policy.text}\` reads ${lacks.map((name) => `\`${name}\``).join(", ")}, which these records do not hold: ` +
      `record ${advice}`,
  );
}

/** True if a replay returns the recorded temperature, as the policy that drew the token does. */
export function same({ temperature }, token) {
  if (temperature === token.temperature) return true;
  return Math.abs(temperature - token.temperature) <= SAME * Math.min(temperature, token.temperature);
}

/** The values that the policy reads, of those `recorded` with a token and those that it was `given`. */
function signalsOf(recorded, policy, requested, given, position) {
  const values = { requested };
  for (const { text, node, source } of policy.needs) {
    if (source !== "context") values[text] = recorded[text];
    if (node.name === "given") values[text] = givenTo(policy, node, given, recorded, position);
  }
  return values;
}

function givenTo(policy, { text, key }, given, recorded, position) {
  if (Object.hasOwn(given, key)) {
    const value = given[key];
    return Array.isArray(value) ? value[position % value.length] : value; // a list has a number for each position
  }
  if (Object.hasOwn(recorded, text)) return recorded[text]; // from a function of the hidden state
  throw new PolicyError(`\`${policy.text}\` reads \`${text}\`: pass given={'${key}': a number}`);
}

/** Of each alternative, whether the filters left it. */
function leftOf({ alternatives, dropped, candidates }) {
  return alternatives.map((_, at) => (dropped.length ? !dropped.includes(at) : at < candidates));
}

/** The distribution of a recorded row at another temperature, as far as the record knows it. */
class Tempered {
  constructor(token, temperature, { greedyAt, bins }) {
    const left = leftOf(token);
    const logs = token.alternatives.map(({ probability }) => Math.log(probability));
    const first = left.indexOf(true);
    this.a = temperature === Infinity ? 0 : temperature > greedyAt ? 1 / temperature : Infinity;
    this.first = first < 0 ? logs.at(-1) : logs[first];
    if (this.a === Infinity) {
      this.alternatives = logs.map((_, at) => (at === first ? 1 : 0));
      this.bins = token.rest.map((_, at) => (first < 0 && at === 0 ? 1 : 0));
      this.rest = this.error = first < 0 ? 1 : 0; // of the rest, nobody knows which entry is the likeliest
      this.entropy = 0;
      return;
    }
    const weights = logs.map((log, at) => (left[at] ? this.weight(log) : 0));
    const masses = token.rest.map((bin) => tempered(bin, this.a, this.first, logs.at(-1), bins));
    const [named, rest] = [sum(weights), sum(masses.map(({ value }) => value))];
    this.total = named + rest;
    this.alternatives = weights.map((weight) => weight / this.total);
    this.bins = masses.map(({ value }) => value / this.total);
    this.rest = rest / this.total;
    const [low, high] = [sum(masses.map((mass) => mass.low)), sum(masses.map((mass) => mass.high))];
    this.error = most(high / (named + high) - this.rest, this.rest - low / (named + low));
    const below = this.below([...this.alternatives, ...this.bins], [
      ...logs,
      ...masses.map(({ logP }) => logP),
    ]);
    this.entropy = Math.max(Math.log(this.total) + this.a * below, 0);
  }

  /** How far the entries lie below the likeliest at temperature 1, on average. */
  below(shares, logs) {
    return sum(shares.map((q, at) => (q > 0 && logs[at] > -Infinity ? q * (this.first - logs[at]) : 0)));
  }

  /** p**a as a multiple of the likeliest entry's. */
  weight(log) {
    return this.a === 0 ? 1 : Math.exp(this.a * (log - this.first));
  }

  /** The probability of the recorded token. */
  probability(token) {
    const at = token.alternatives.findIndex((alternative) => alternative.token === token.token);
    if (at >= 0) return this.alternatives[at];
    if (this.a === Infinity || token.probability_after === 0 || token.probability === 0) return 0;
    return this.weight(Math.log(token.probability)) / this.total;
  }
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

/** The draw of `token` at `temperature`: its probabilities, and if the coupled draw keeps the token. */
function drawn(token, temperature, seed, { limits, bins, purposes }) {
  const settings = { greedyAt: limits.greedyAt, bins };
  const ours = new Tempered(token, temperature, settings);
  const probability = ours.probability(token);
  const noise = (draw) => uniform(seed, token.request, token.position, draw, purposes.keep);
  let [kept, instead] = [true, null];
  if (token.origin !== "forced" && !(noise(0) * token.probability_after < probability)) {
    const theirs = new Tempered(token, token.temperature, settings);
    const before = [...token.alternatives.map((alternative) => alternative.probability_after), ...theirs.bins];
    const at = parted([...ours.alternatives, ...ours.bins].map((q, entry) => q - before[entry]), noise(1));
    kept = at < 0;
    instead = token.alternatives[at]?.token ?? null;
  }
  const { alternatives, rest, error, entropy: entropyAfter } = ours;
  return { alternatives, probability, rest, error, entropyAfter, kept, instead };
}

/** The entry that is drawn instead, in proportion to `excess`, our probability above theirs; -1 if there is none. */
function parted(excess, share) {
  let total = 0;
  const reached = excess.map((one) => (total += Math.max(one, 0)));
  if (!(total > 0)) return -1;
  const at = reached.findIndex((sum) => sum > share * total);
  return at < 0 ? reached.length - 1 : at;
}
