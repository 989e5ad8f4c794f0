/** The types of the fields of a trace's records, and the message about a field of another type. */

/** How far above 1 a probability may come out, since it is a quotient of rounded numbers. */
const ROUNDED = 1e-6;

/** Numbers of the curve of a draw. */
const CURVE = 50;

/** A number of a record: itself, or the infinity that stands as text; NaN for anything else. */
export function numberOf(value) {
  if (value === "inf") return Infinity;
  if (value === "-inf") return -Infinity;
  return typeof value === "number" ? value : NaN;
}

const isNumber = (value) => !Number.isNaN(numberOf(value));
const isText = (value) => typeof value === "string";
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
export const isCount = (value) => Number.isInteger(value) && value >= 0;
const listOf = (holds) => (value) => Array.isArray(value) && value.every(holds);
export const oneOf = (...allowed) => ({
  holds: (value) => allowed.includes(value),
  words: allowed.map((one) => JSON.stringify(one)).join(", "),
});

const NUMBER = { holds: isNumber, words: "a number" };
const CHANCE = {
  holds: (value) => isNumber(value) && numberOf(value) >= 0 && numberOf(value) <= 1 + ROUNDED,
  words: "a probability from 0 to 1",
};
export const COUNT = { holds: isCount, words: "a whole number from 0" };
export const TEXT = { holds: isText, words: "text" };
export const OBJECT = { holds: isObject, words: "an object" };

const ALTERNATIVE = { token: COUNT, text: TEXT, probability: CHANCE, probability_after: CHANCE };

/** The fields of a token. */
export const TOKEN = {
  request: COUNT,
  position: COUNT,
  token: COUNT,
  text: TEXT,
  bytes: {
    holds: (value) => isText(value) && /^\s*([0-9a-f]{2}\s*)*$/i.test(value),
    words: "bytes in hexadecimal",
  },
  temperature: { holds: (value) => isNumber(value) && numberOf(value) >= 0, words: "a number from 0" },
  signals: {
    holds: (value) => isObject(value) && Object.hasOwn(value, "entropy") && Object.values(value).every(isNumber),
    words: "an object of numbers, `entropy` among them",
  },
  probability: CHANCE,
  probability_after: CHANCE,
  surprisal: NUMBER,
  entropy_after: NUMBER,
  surprisal_after: NUMBER,
  candidates: COUNT,
  alternatives: {
    holds: listOf((one) => isObject(one) && Object.entries(ALTERNATIVE).every(([name, { holds }]) => holds(one[name]))),
    words: "a list of tokens with their texts and probabilities from 0 to 1",
  },
  rest: {
    holds: listOf((bin) => Array.isArray(bin) && bin.length === 2 && isCount(bin[0]) && isNumber(bin[1])),
    words: "a list of pairs, a whole number and a number each",
  },
  origin: oneOf("drawn", "forced", "kept", "parted"),
  finish: oneOf(null, "end", "stop", "length"),
  name: TEXT,
  dropped: { holds: listOf(isCount), words: "a list of whole numbers from 0" },
  curve: {
    holds: (value) => listOf(isNumber)(value) && [0, CURVE].includes(value.length),
    words: `a list of ${CURVE} numbers, or none`,
  },
};

/** The fields of a header. */
export const HEADER = {
  format: TEXT,
  version: COUNT,
  model: TEXT,
  policy: TEXT,
  policy_name: { holds: (value) => value === null || isText(value), words: "text or null" },
  seed: { holds: Number.isInteger, words: "a whole number" },
  prompts: { holds: Array.isArray, words: "a list" },
  settings: OBJECT,
  versions: OBJECT,
  started: TEXT,
  rendered: { holds: listOf(isText), words: "a list of texts" },
  host: TEXT,
};

/** The message about what is wrong with a record of these `fields`; null where nothing is. */
export function complaintOf(record, fields) {
  const missing = Object.keys(fields).filter((name) => !Object.hasOwn(record, name));
  if (missing.length) return `it lacks ${missing.join(", ")}`;
  const unknown = Object.keys(record).filter((name) => !Object.hasOwn(fields, name));
  if (unknown.length) return `it has ${unknown.join(", ")}, which this page does not know`;
  return faultOf(record, fields);
}

/** The message about the first field with a wrong value; null where there is none. */
export function faultOf(record, fields) {
  const wrong = Object.keys(fields).find((name) => !fields[name].holds(record[name]));
  if (wrong === undefined) return null;
  return `its \`${wrong}\` is ${shown(record[wrong])}; expected: ${fields[wrong].words}`;
}

/** A value as JSON, cut where it is long. */
export function shown(value) {
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)} ...` : text;
}
