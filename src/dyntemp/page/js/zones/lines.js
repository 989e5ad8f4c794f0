/** Zones that the shape of lines decides, as in Python; the states are those of the readers there. */

const FENCE = /\n([ \t]*)(`{3,}|~{3,})([^\n]*)/g;
const HEAD = /^\n[ \t]*(?:`+|~+)?/;
const BLANK = /^[ \t\r]*$/;
const BEGIN = /\n[ \t]*[{[]/g;
const VALUE = /["{}[\]]|[^ \t\r\n,:+\-.0-9eEtrufalsn]/g;
const STRING = /["\\\x00-\x1f]/g; // eslint-disable-line no-control-regex

/** Code between fences. */
const code = {
  start: { fence: null, line: "\n" },

  read({ fence, line }, data) {
    const text = line + data;
    const last = text.lastIndexOf("\n");
    for (const found of text.slice(0, last).matchAll(FENCE)) {
      const [, indent, signs, rest] = found;
      if (fence) fence = closes(fence, found) ? null : fence;
      else if (!signs.includes("`") || !rest.includes("`")) fence = { column: columnOf(indent), signs };
    }
    return { fence, line: shortened(text.slice(last)) };
  },

  inside({ fence, line }) {
    const [found] = line.matchAll(FENCE);
    return fence !== null && !(found && closes(fence, found));
  },
};

function closes({ column, signs }, [, indent, found, rest]) {
  return found.startsWith(signs) && BLANK.test(rest) && columnOf(indent) <= column + 3;
}

/** The column after these blanks; a tab goes to the next multiple of 4. */
function columnOf(indent) {
  return [...indent].reduce((column, sign) => (sign === "\t" ? column - (column % 4) + 4 : column + 1), 0);
}

/** A line with the same meaning: what follows its signs matters only by being blank or holding a backtick. */
function shortened(line) {
  const [head] = HEAD.exec(line);
  const rest = line.slice(head.length);
  return head + (rest ? " " : "") + (BLANK.test(rest) ? "" : "x") + (rest.includes("`") ? "`" : "");
}

/** A JSON object or array that begins a line. */
const json = {
  start: { depth: 0, quoted: false, undecided: "\n" },

  read({ depth, quoted, undecided }, data) {
    const text = undecided + data;
    let at = 0;
    for (;;) {
      if (!depth) {
        const begin = next(BEGIN, text, at);
        if (!begin) return { depth, quoted: false, undecided: beginsLine(text, at) ? "\n" : "" };
        [depth, quoted, at] = [1, false, begin.index + begin[0].length];
      }
      const found = next(quoted ? STRING : VALUE, text, at);
      if (!found) return { depth, quoted, undecided: "" };
      at = found.index + 1;
      if (found[0] === '"') quoted = !quoted;
      else if (found[0] === "\\" && quoted) {
        if (at === text.length) return { depth, quoted, undecided: "\\" };
        at += 1;
      } else if ("{[".includes(found[0])) depth += 1;
      else if ("}]".includes(found[0])) depth -= 1;
      else [depth, at] = [0, found.index]; // no JSON
    }
  },

  inside: ({ depth }) => depth > 0,
};

function next(pattern, text, start) {
  pattern.lastIndex = start;
  return pattern.exec(text);
}

/** True if `text`, from `start` on, ends with a newline and blanks. */
function beginsLine(text, start) {
  let at = text.length;
  while (at > start && " \t".includes(text[at - 1])) at -= 1;
  return at > start && text[at - 1] === "\n";
}

/** The place of a Python block's first token. */
const block = {
  start: "",

  read(state, data) {
    const text = state + data;
    let at = text.length;
    while (at > 0 && " \t\r\n".includes(text[at - 1])) at -= 1;
    if (text[at - 1] !== ":") return "";
    return text.indexOf("\n", at) < 0 ? ":" : ":\n";
  },

  inside: (state) => state === ":\n",
};

/** The readers of lines, by the names of their zones. */
export const READERS = { code, json, block };
