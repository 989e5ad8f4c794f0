/**
 * The file of a learning, checked as `page/learning.py` checks it, in the same words. Fields that neither lists are
 * ignored.
 */

import { COUNT, faultOf, isCount, isObject, OBJECT, oneOf, shown, TEXT } from "../traces/fields.js";
import { PolicyError } from "../errors.js";
import { compiled } from "../language/compile.js";
import { signalRange } from "../language/signals.js";
import { general } from "../numbers.js";

const FORMAT = "dyntemp.learning";
const VERSION = 1;
const QUANTILES = 9;
/** The key and the value that tell a learning from a trace. Inside a JSON text the quotes would be escaped. */
const MARK = /"format"\s*:\s*"dyntemp\.learning"/;

const areNumbers = (value, count) =>
  Array.isArray(value) && value.length === count && value.every(Number.isFinite);
const areQuantiles = (value) =>
  areNumbers(value, QUANTILES) && value.slice(1).every((high, at) => value[at] <= high);
const isShare = (value) => Number.isFinite(value) && value >= 0 && value <= 1;
const isFromZero = (value) => Number.isFinite(value) && value >= 0;

const NUMBER = { holds: Number.isFinite, words: "a finite number" };
const FROM_ZERO = { holds: isFromZero, words: "a finite number from 0" };

/** The fields of a learning. */
const LEARNING = {
  model: TEXT,
  task: TEXT,
  metric: TEXT,
  shape: oneOf("network", "curve", "template"),
  bounds: {
    holds: (value) => areNumbers(value, 2) && value[0] >= 0 && value[0] < value[1],
    words: "two numbers, 0 <= low < high",
  },
  filters: TEXT,
  anchor: FROM_ZERO,
  signals: OBJECT,
  runs: { holds: (value) => Array.isArray(value) && value.length > 0, words: "a list of at least one run" },
  sentence: TEXT,
};

/** The fields of a run. */
const RUN = {
  seed: COUNT,
  rounds: { holds: Array.isArray, words: "a list" },
  chosen: { holds: (value) => value === null || isCount(value), words: "a whole number from 0, or null" },
};

/** The fields of a round. */
const ROUND = {
  round: COUNT,
  texts: COUNT,
  policy: TEXT,
  score: NUMBER,
  temperature: FROM_ZERO,
  spread: FROM_ZERO,
  at_bound: { holds: isShare, words: "a number from 0 to 1" },
};

/** A learning that the page cannot show; the message names the run and the round. */
export class LearningError extends Error {}

/** True if the text of a file says that it is a learning, whole or cut off. */
export function isLearning(text) {
  return MARK.test(text);
}

/**
 * The learning in a file's text. `read` reads a policy. Each round gets `rule`, its policy as `read` returns it, and
 * `compute`, that policy as a function of its signals.
 */
export function readLearning(text, read) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    throw new LearningError("this is not whole JSON: write it anew with `dyntemp learn`");
  }
  if (!isObject(data) || data.format !== FORMAT) {
    throw new LearningError(`this is no learning: it lacks "format": "${FORMAT}"`);
  }
  if (data.version !== VERSION) {
    const version = shown(data.version ?? null);
    throw new LearningError(`this is format version ${version}, and this dyntemp reads ${VERSION}: update dyntemp`);
  }
  check("this is no learning", data, LEARNING);
  for (const [name, quantiles] of Object.entries(data.signals)) checkSignal(name, quantiles, read);
  const runs = data.runs.map((run, at) => readRun(`run ${at + 1}`, run, read));
  const seeds = runs.map(({ seed }) => seed);
  const again = seeds.findIndex((seed, at) => seeds.indexOf(seed) < at);
  if (again >= 0) {
    throw new LearningError(`run ${again + 1}: an earlier run has its seed ${shown(seeds[again])} too; seeds differ`);
  }
  return { ...data, runs };
}

/** Check that `name` is the text of a signal, and that these are quantiles which it can have. */
function checkSignal(name, quantiles, read) {
  const signal = attempt(() => read(name));
  if (signal?.expression.kind !== "signal" || signal.text !== name) {
    throw new LearningError(
      `its \`signals\` name ${shown(name)}, which is no signal: write one such as \`entropy\``,
    );
  }
  if (!areQuantiles(quantiles)) {
    const given = shown(quantiles);
    throw new LearningError(`its \`signals\` give ${name} ${given}; expected: nine finite numbers in ascending order`);
  }
  const { low, high } = signalRange(signal.expression, { low: 1, high: signal.limits.support }, signal.limits);
  const ends = [quantiles[0], quantiles.at(-1)];
  if (!(low <= ends[0] && ends[1] <= high)) {
    const range = `its range of ${general(low)} to ${general(high)}`;
    throw new LearningError(`its \`signals\` give ${name} ${shown(ends)}, outside ${range}`);
  }
}

/** A run, checked, with its rounds and their policies. */
function readRun(where, run, read) {
  check(where, run, RUN);
  let before = -1;
  const rounds = run.rounds.map((round, at) => {
    const place = `${where}, item ${at + 1} of its rounds`;
    check(place, round, ROUND);
    if (round.round <= before) {
      throw new LearningError(`${place}: round ${shown(round.round)} follows round ${before}; rounds ascend`);
    }
    before = round.round;
    const rule = readPolicy(place, round.policy, read);
    return { ...round, rule, compute: compiled(rule) };
  });
  if (run.chosen !== null && !rounds.some(({ round }) => round === run.chosen)) {
    throw new LearningError(`${where}: it chose round ${shown(run.chosen)}, which is not among its rounds`);
  }
  return { ...run, rounds };
}

function readPolicy(where, text, read) {
  const rule = attempt(
    () => read(text),
    (error) => {
      throw new LearningError(`${where}: its policy cannot be read: ${error.message}`);
    },
  );
  const [free] = rule.parameters;
  if (!free) return rule;
  throw new LearningError(`${where}: its policy has the parameter \`${free.name}\`, and a learned policy has none`);
}

/** The result of `action`, or of `otherwise` where a policy cannot be read. */
function attempt(action, otherwise = () => null) {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return otherwise(error);
  }
}

function check(where, record, fields) {
  if (!isObject(record)) throw new LearningError(`${where}: it is ${shown(record)}; expected: an object`);
  const missing = Object.keys(fields).filter((name) => !Object.hasOwn(record, name));
  if (missing.length) throw new LearningError(`${where}: it lacks ${missing.join(", ")}`);
  const fault = faultOf(record, fields);
  if (fault) throw new LearningError(`${where}: ${fault}`);
}
