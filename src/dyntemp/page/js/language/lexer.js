// Text -> tokens: numbers, words, text in quotes and symbols, each `{kind, text, start, end}`.

import { PolicyError } from "../errors.js";
import { fail } from "./fault.js";
import { quotedText } from "../numbers.js";

const DIGITS = "[0-9]+(?:_[0-9]+)*";
const TOKEN = new RegExp(
  "(?<number>0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+" +
    `|(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:[eE][+-]?${DIGITS})?)` +
    "|(?<word>[A-Za-z_][A-Za-z_0-9]*)" +
    "|(?<text>'[^']*'|\"[^\"]*\")" +
    "|(?<symbol>\\*\\*|//|<<|>>|<=|>=|==|!=|<>|:=|&&|\\|\\||\\.\\.\\.|[^ ])",
  "gu",
);
const JOINED = /[A-Za-z_0-9.]*/y;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]/u;
const SHORT = 30;
const TOO_LARGE = "a number beyond the range of float64 was given; write one below 1.8e308";
const NUMBERS = "write a number such as 0.8, 1e-3 or 1_000, and `*` between a number and a name";

/** The tokens of `line`, an array of characters; the last is `end`, behind the last one that is not a space. */
export function tokensOf(line, table) {
  const foreign = line.findIndex((character) => !/^[\x20-\x7e]$/.test(character) || character === "#");
  if (foreign >= 0) refuseCharacter(line, foreign, table);
  const whole = line.join("");
  const found = scanned(whole);
  for (const token of found) {
    if (token.kind === "number") checkNumber(line, whole, token, table.limits.digits);
    else if (token.text === "'" || token.text === '"') {
      fail(`this quote is not closed: write \`${token.text}\` behind the name`, line, token.start, token.end);
    }
  }
  const stop = whole.trimEnd().length;
  return [...found, { kind: "end", text: "", start: stop, end: stop }];
}

/** The tokens of any text, a policy or not, for those who show it; unchecked, without `end`. */
export function scanned(text) {
  return Array.from(text.matchAll(TOKEN), ({ 0: token, index, groups }) => {
    const kind = Object.keys(groups).find((name) => groups[name] !== undefined);
    return { kind, text: token, start: index, end: index + token.length };
  });
}

function refuseCharacter(line, at, { instead }) {
  const character = line[at];
  const advice = Object.hasOwn(instead, character) ? `: write \`${instead[character]}\`` : "";
  const shown = quotedText(character, (one) => !UNSEEN.test(one));
  fail(`the character ${shown} is not part of the policy language${advice}`, line, at, at + 1);
}

function checkNumber(line, whole, { text, start, end }, limit) {
  JOINED.lastIndex = end;
  const [behind] = JOINED.exec(whole);
  if (behind) {
    const shown = (text + behind).slice(0, SHORT);
    fail(`\`${shown}\` is not a number of the policy language: ${NUMBERS}`, line, start, end + behind.length);
  }
  const digits = text.replaceAll("_", "");
  if (!/^[0-9]+$/.test(digits)) return;
  if (digits.length > limit) fail("a number too long to read: write it as 1e300", line, start, end);
  const value = digits.replace(/^0+/, "");
  if (value && value !== digits) {
    fail(`a whole number does not begin with 0: write \`${value.slice(0, SHORT)}\``, line, start, end);
  }
}

/** The value of a number token. */
export function numberOf(text) {
  const digits = text.replaceAll("_", "").toLowerCase();
  const whole = /^(?:[0-9]+|0[xob].*)$/.test(digits);
  const value = Number(whole && /[xob]/.test(digits[1]) ? BigInt(digits) : digits);
  if (whole && !Number.isFinite(value)) throw new PolicyError(TOO_LARGE);
  return value;
}
