/** Trace files: a header line, then one JSON line per token. */

import { complaintOf, HEADER, numberOf, TOKEN } from "./fields.js";

const NUMBERS = [
  "temperature",
  "probability",
  "probability_after",
  "surprisal",
  "entropy_after",
  "surprisal_after",
];
const LEFT_OUT = ["curve", "dropped", "name"];
const VERSIONS = [1, 2];
/** The fields of a header that older traces lack. */
const LATER = { rendered: [], host: "" };

/** A trace file that cannot be read; the message names the line. */
export class TraceError extends Error {}

/** {header, tokens} of the text of a trace file; a last line that was cut off is left out and told in `note`. */
export function readTrace(text) {
  const lines = text.split("\n");
  const last = lines.pop();
  const header = readHeader(lines.length ? lines.shift() : last);
  const tokens = lines.map((line, index) => readToken(parsed(line, index + 2), index + 2));
  const note =
    lines.length && last.trim()
      ? "the last line is cut off, as by a run that was killed; it is left out"
      : null;
  if (!tokens.length) throw new TraceError("this trace holds no tokens");
  return { header, tokens, note };
}

/** The header of a trace, checked. */
export function readHeader(line) {
  const read = parsed(line, 1);
  const lacks = Object.entries(LATER).filter(([name]) => !Object.hasOwn(read, name));
  const header = { ...read, ...Object.fromEntries(lacks) };
  if (header.format !== "dyntemp.trace") {
    throw new TraceError('line 1: this is no trace: it lacks "format": "dyntemp.trace"');
  }
  if (!VERSIONS.includes(header.version)) {
    throw new TraceError(
      `line 1: this is format version ${header.version}, and this page reads ${VERSIONS.join(" and ")}`,
    );
  }
  const complaint = complaintOf(header, HEADER);
  if (complaint) throw new TraceError(`line 1: this is no header; ${complaint}`);
  const found = exactly(line, header);
  if (typeof found.seed === "number" && !Number.isSafeInteger(found.seed)) {
    throw new TraceError("line 1: this is no header; its `seed` is not written as a whole number");
  }
  return found;
}

/** `header`, its seed as text where `line` writes one that is beyond the whole numbers of a float. */
export function exactly(line, header) {
  const written = /"seed":\s*(\d+)/.exec(line)?.[1];
  return written && !Number.isSafeInteger(Number(written)) ? { ...header, seed: written } : header;
}

/** `record` as one line of JSON: infinities as text, a seed of digits as a number, without what is mostly empty. */
export function lineOf(record) {
  const plain = (key, value) => {
    if (LEFT_OUT.includes(key) && value === record[key] && !value.length) return undefined;
    return value === Infinity ? "inf" : value === -Infinity ? "-inf" : value;
  };
  return JSON.stringify(record, plain).replace(/"seed":"(\d+)"/, '"seed":$1');
}

/** One token as the page uses it: numbers are numbers, infinity too. */
export function readToken(data, line) {
  const token = { rest: [], origin: "drawn", dropped: [], name: "", curve: [], ...data };
  const complaint = complaintOf(token, TOKEN);
  if (complaint) throw new TraceError(`line ${line}: this is no token record; ${complaint}`);
  for (const name of NUMBERS) token[name] = numberOf(token[name]);
  token.signals = Object.fromEntries(
    Object.entries(token.signals).map(([name, value]) => [name, numberOf(value)]),
  );
  token.alternatives = token.alternatives.map((alternative) => ({
    ...alternative,
    probability: numberOf(alternative.probability),
    probability_after: numberOf(alternative.probability_after),
  }));
  token.curve = token.curve.map(numberOf);
  token.rest = token.rest.map(([entries, mass]) => [entries, numberOf(mass)]);
  return token;
}

function parsed(line, at) {
  let data;
  try {
    data = JSON.parse(line);
  } catch {
    throw new TraceError(
      `line ${at}: this is not JSON; a trace is written by \`dyntemp generate --trace FILE\``,
    );
  }
  if (data === null || typeof data !== "object" || Array.isArray(data)) {
    throw new TraceError(`line ${at}: a JSON object is expected`);
  }
  return data;
}

/** The text of a trace file; `dyntemp explain` reads it. */
export function writeTrace(header, tokens) {
  return [header, ...tokens].map((record) => `${lineOf(record)}\n`).join("");
}

/** The tokens of each request, in order: [{request, tokens}]. */
export function requestsOf(tokens) {
  const found = new Map();
  for (const token of tokens) {
    if (!found.has(token.request)) found.set(token.request, []);
    found.get(token.request).push(token);
  }
  return [...found].map(([request, own]) => ({ request, tokens: own }));
}
