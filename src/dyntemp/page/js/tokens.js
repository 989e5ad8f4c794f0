// Text -> tokens, as Python reads one line of an expression; a fault here is told before any other.

const MAX_BRACKETS = 200;
const MAX_DIGITS = 4300;
const OPERATORS = [
  "**=", "//=", ">>=", "<<=", "...", "!=", "%=", "&=", "**", "*=", "+=", "-=", "->", "//", "/=", ":=", "<<", "<=",
  "<>", "==", ">=", ">>", "@=", "^=", "|=",
];
const CLOSING = { ")": "(", "]": "[", "}": "{" };
const KEYWORDS = new Set([
  "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
  "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or",
  "pass", "raise", "return", "try", "while", "with", "yield",
]);
const AFTER_NUMBER = /^(?:i[fns]|(?:and|else|for|or|not)(?![A-Za-z_0-9]))/;
const STRING_START = /^(?:[rR][bBfF]?|[bBfF][rR]?|[uU])?(?:'''|"""|'|")/;
const HEXADECIMAL = /^0[xX](?:_?[0-9a-fA-F]+)+/;
const OCTAL = /^0[oO](?:_?[0-7]+)+/;
const BINARY = /^0[bB](?:_?[01]+)+/;
const DIGITS = "[0-9]+(?:_[0-9]+)*";
const DECIMAL = new RegExp(`^(?:${DIGITS}\\.(?:${DIGITS})?|\\.${DIGITS}|${DIGITS})(?:[eE][+-]?${DIGITS})?`);

/** A fault of the syntax: what it is, and where it begins. */
export class SyntaxFault extends Error {
  constructor(message, start) {
    super(message);
    this.start = start;
  }
}

/**
 * The tokens of `text`, each `{type, text, start, end, level}` with the brackets open behind it; numbers and strings
 * have a `value` too. The last is `end`, or `unclosed` with the bracket's place; a backslash makes the rest `stray`.
 */
export function tokensOf(text) {
  const tokens = [];
  const open = [];
  let at = 0;
  while (at < text.length) {
    if (text[at] === " ") {
      at += 1;
      continue;
    }
    const token = tokenAt(text, at);
    bracket(open, token);
    tokens.push({ ...token, start: at, end: at + token.text.length, level: open.length });
    at += token.text.length;
  }
  const last = tokens.at(-1)?.type === "stray" ? null : open.at(-1);
  const ending = { text: "", start: text.length, end: text.length, level: open.length };
  tokens.push(last ? { ...ending, type: "unclosed", bracket: last } : { ...ending, type: "end" });
  return tokens;
}

function tokenAt(text, at) {
  const rest = text.slice(at);
  const quote = STRING_START.exec(rest);
  if (quote) return stringToken(text, at, quote[0]);
  const name = /^[A-Za-z_][A-Za-z_0-9]*/.exec(rest);
  if (name) return { type: KEYWORDS.has(name[0]) ? "keyword" : "name", text: name[0] };
  if (/^\.?[0-9]/.test(rest)) return numberToken(text, at, rest);
  if (rest[0] === "\\") {
    return { type: "stray", text: rest };
  }
  const symbol = OPERATORS.find((operator) => rest.startsWith(operator)) ?? rest[0];
  return { type: "symbol", text: symbol, at };
}

function bracket(open, token) {
  if (token.type !== "symbol") return;
  if ("([{".includes(token.text)) {
    if (open.length >= MAX_BRACKETS) throw new SyntaxFault("too many nested parentheses", token.at);
    open.push({ text: token.text, start: token.at });
  } else if (token.text in CLOSING) {
    const last = open.pop();
    if (!last) throw new SyntaxFault(`unmatched '${token.text}'`, token.at);
    if (last.text !== CLOSING[token.text]) {
      const message = `closing parenthesis '${token.text}' does not match opening parenthesis '${last.text}'`;
      throw new SyntaxFault(message, token.at);
    }
  }
}

/** A number; digits that Python refuses are a fault at the last character that it read. */
function numberToken(text, at, rest) {
  const whole = HEXADECIMAL.exec(rest) ?? OCTAL.exec(rest) ?? BINARY.exec(rest);
  if (whole) {
    const kind = { x: "hexadecimal", o: "octal", b: "binary" }[rest[1].toLowerCase()];
    ending(kind, at, whole[0], rest);
    return { type: "number", text: whole[0], value: whole[0].replaceAll("_", ""), whole: true };
  }
  if (/^0[xXoObB]/.test(rest)) {
    const kind = { x: "hexadecimal", o: "octal", b: "binary" }[rest[1].toLowerCase()];
    throw wrongDigits(kind, at + 2, rest.slice(2), true);
  }
  const [digits] = DECIMAL.exec(rest);
  const imaginary = /^[jJ]/.test(rest.slice(digits.length));
  const taken = digits + (imaginary ? rest[digits.length] : "");
  const isWhole = /^[0-9_]+$/.test(taken);
  if (isWhole && /^0[0_]*[1-9]/.test(taken) && !/^[eE]/.test(rest.slice(taken.length))) {
    const message = "leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers";
    throw new SyntaxFault(message, at);
  }
  ending(imaginary ? "imaginary" : "decimal", at, taken, rest);
  const value = taken.replaceAll("_", "");
  if (isWhole && value.length > MAX_DIGITS) throw new SyntaxFault("Exceeds the limit", at);
  return { type: "number", text: taken, value, whole: isWhole, imaginary };
}

/** What may not follow a number: letters, but for a keyword, and an underscore. */
function ending(kind, at, taken, rest) {
  const after = rest.slice(taken.length);
  if (after === "" || !/^[A-Za-z_0-9]/.test(after) || AFTER_NUMBER.test(after)) return;
  if (kind === "decimal" && /^[eE][+-]/.test(after) && !/[eE]/.test(taken)) {
    throw new SyntaxFault("invalid decimal literal", at + taken.length + 1);
  }
  throw wrongDigits(kind, at + taken.length, after, /[0-9a-fA-F]$/.test(taken));
}

/** The fault of `after`, which follows the digits that end at `at`; `inDigits` where an underscore may stand. */
function wrongDigits(kind, at, after, inDigits) {
  if (/^_?[0-9]/.test(after) && kind !== "decimal" && kind !== "imaginary") {
    const digit = after.replace("_", "")[0];
    return new SyntaxFault(`invalid digit '${digit}' in ${kind} literal`, at + (after[0] === "_" ? 1 : 0));
  }
  return new SyntaxFault(`invalid ${kind} literal`, after[0] === "_" && inDigits ? at : at - 1);
}

function stringToken(text, at, start) {
  const prefix = start.replace(/['"]+$/, "").toLowerCase();
  const quote = start.slice(prefix.length);
  let end = at + start.length;
  while (end < text.length && !text.startsWith(quote, end)) end += text[end] === "\\" ? 2 : 1;
  if (end >= text.length) {
    const kind = quote.length === 3 ? "triple-quoted string" : "string";
    throw new SyntaxFault(`unterminated ${kind} literal (detected at line 1)`, at);
  }
  const body = text.slice(at + start.length, end);
  return {
    type: "string",
    text: text.slice(at, end + quote.length),
    value: prefix.includes("r") ? body : unescaped(body, at),
    bytes: prefix.includes("b"),
    formatted: prefix.includes("f"),
  };
}

const ESCAPES = { "\\": "\\", "'": "'", '"': '"', a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

function unescaped(body, at) {
  const pattern = /\\(?:([\\'"abfnrtv])|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([xuUN]))/g;
  return body.replace(pattern, (_, simple, octal, byte, short, long, wrong) => {
    const code = octal ? parseInt(octal, 8) : parseInt(byte ?? short ?? long, 16);
    if (wrong || code > 0x10ffff) throw new SyntaxFault("(unicode error) a character that cannot be read", at);
    return simple ? ESCAPES[simple] : String.fromCodePoint(code);
  });
}
