/** The zones that a text ends in, kept up while the text grows, as in Python. */

import { PolicyError } from "../errors.js";
import { DelimitedZone, Delimiters } from "./delimiters.js";
import { READERS } from "./lines.js";

const EXAMPLE = "note=<note>...</note>";

/** The automaton of a zone that lines decide; it starts afresh behind each of `boundaries`. */
class LinedZone {
  constructor(reader, boundaries) {
    Object.assign(this, { reader, boundaries, start: { begun: "", lines: reader.start } });
  }

  advance({ begun, lines }, data) {
    const text = begun + data;
    const end = this.boundaries.lastEnd(text);
    const read = end
      ? this.reader.read(this.reader.start, text.slice(end))
      : this.reader.read(lines, data);
    return { begun: this.boundaries.begun(text, end), lines: read };
  }

  inside({ lines }) {
    return this.reader.inside(lines);
  }
}

/** Follows the zones of these names, of the known ones in `table` and a user's `own` texts, through a text. */
export class ZoneTracker {
  constructor(names, own, { known, boundaries }) {
    const zones = new Map([...known, ...own.map(parseZone)].map((zone) => [zone.name, zone]));
    for (const name of names) {
      if (zones.has(name)) continue;
      throw new PolicyError(
        `\`inside("${name}")\` names a zone that nobody defined; there are ${[...zones.keys()].join(", ")}. Define ` +
          `your own by its delimiters, zones=["${EXAMPLE}"], or --zone "${EXAMPLE}" on the command line`,
      );
    }
    const shared = new Delimiters(boundaries);
    this.automata = names.map((name) => {
      const { pairs, ends } = zones.get(name);
      return pairs.length ? new DelimitedZone(pairs, ends) : new LinedZone(READERS[name], shared);
    });
    this.start = this.automata.map(({ start }) => start);
  }

  /** The state after further bytes of the text. */
  advance(state, data) {
    return this.automata.map((automaton, at) => automaton.advance(state[at], data));
  }

  /** 1 or 0 for each zone. */
  inside(state) {
    return this.automata.map((automaton, at) => Number(automaton.inside(state[at])));
  }
}

/** A user's own zone. */
function parseZone(text) {
  const found = /^([A-Za-z_]\w*)=(.+?)\.\.\.(.+)$/s.exec(text);
  if (!found) throw new PolicyError(`the zone ${text} was given; a zone is written as ${EXAMPLE}`);
  return { name: found[1], pairs: [[found[2], found[3]]], ends: [] };
}
