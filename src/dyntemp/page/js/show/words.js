// One true sentence about a token: what the model was torn between, which temperature, what that did.
//
// Sentences are those of `dyntemp.show.words`; tokens are as trace files have them, their bytes in hexadecimal.

import { escaped, grouped, shortest } from "../numbers.js";

export const GREEDY_AT = 1e-6;
const CERTAIN = 0.95;
const TORN = 0.5;
const MOST = 0.5;
const PEERS = 3;
const AGAINST_THE_ODDS = 2;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Zs}]/gu;
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

/** The sentence for one token of a trace. */
export function explain(token) {
  if (!token.alternatives.length) {
    return `${came(token, [])}, at ${atTemperature(token.temperature)}; the trace names no alternatives`;
  }
  if (token.candidates === 1) {
    return `${only(token)}, so the temperature could not matter; ${came(token, token.alternatives.slice(0, 1))}`;
  }
  const { standing, named } = standingOf(token.alternatives);
  return `${standing}; ${effect(token, named)}; ${came(token, named)}`;
}

/** The change at one token under another policy: temperature, probability, and the outcome of the draw. */
export function changed(token, replayed) {
  const [before, after] = [percent(token.probability_after), percent(replayed.probability)];
  const [was, becomes] = [atTemperature(token.temperature), atTemperature(replayed.temperature)];
  const about = replayed.error >= 0.005 ? "about " : "";
  const same = token.temperature === replayed.temperature ? "as before" : "much as before";
  const first = was === becomes ? `${becomes} ${same}` : `${becomes} instead of ${was.replace(/^T = /, "")}`;
  const second =
    before === after
      ? `${quoted(token)} stays at ${about}${after}`
      : `${quoted(token)} goes from ${before} to ${about}${after}`;
  return `${first}; ${second}; ${verdictOf(token, replayed)}`;
}

function verdictOf(token, { kept, instead }) {
  if (token.origin === "forced") return "it was put here, whatever is drawn";
  if (kept) return "the draw stays";
  if (instead === null) return "the draw would be one of the tokens that the trace does not name";
  return `the draw would be ${named(token, instead)} instead`;
}

function only({ signals: { support } }) {
  if (support === undefined || support <= 1) return "one candidate survived";
  return `one of ${grouped(support)} candidates survived the filters`;
}

/** How things stood before filters and temperature, and which candidates that names. */
function standingOf(alternatives) {
  const [first, ...others] = alternatives;
  if (first.probability >= CERTAIN) return { standing: `sure of ${share(first)}`, named: [first] };
  const peers = alternatives.filter((other) => other.probability >= TORN * first.probability);
  const together = peers.reduce((sum, peer) => sum + peer.probability, 0);
  if (peers.length > 1 && peers.length <= PEERS && together >= MOST) {
    return { standing: `torn between ${listed(peers)}`, named: peers };
  }
  if (!others.length || others[0].probability === 0) {
    return { standing: `the likeliest was ${share(first)}`, named: [first] };
  }
  const two = [first, others[0]];
  if (peers.length === 1 && first.probability + others[0].probability >= MOST) {
    return { standing: `leaning to ${share(first)} over ${share(others[0])}`, named: two };
  }
  return { standing: `undecided: ${share(first)}, ${share(others[0])}, ...`, named: two };
}

/** The effect of filters and temperature on the candidates that were named. */
function effect(token, candidates) {
  const t = atTemperature(token.temperature);
  const { support } = token.signals;
  const before = candidates.map(({ probability }) => percent(probability));
  const after = candidates.map((alternative) => percent(alternative.probability_after));
  const unmoved = before.every((text, at) => text === after[at]);
  if (token.temperature <= GREEDY_AT) return `${t} is greedy and takes the likeliest`;
  if (token.temperature === Infinity) {
    return `${t} gave each of ${grouped(token.candidates)} candidates the same chance`;
  }
  const made = unmoved ? "hardly moved that" : `made that ${joined(after)}`;
  if (support === undefined) return `${t}, with ${grouped(token.candidates)} candidates left, ${made}`;
  if (token.candidates < support) {
    return `the filters left ${grouped(token.candidates)} of ${grouped(support)} candidates, and ${t} ${made}`;
  }
  if (token.temperature === 1) return `${t} left that as it is`;
  if (unmoved) return `${t} hardly moved that`;
  return `${t} ${token.temperature < 1 ? "sharpened" : "flattened"} that to ${joined(after)}`;
}

const ARRIVALS = {
  forced: (name) => `${name} was put here, not drawn`,
  kept: (name) => `kept ${name} of the run that it follows`,
  parted: (name) => `parted from the run that it follows and drew ${name}`,
  drawn: (name, greedy) => `${greedy ? "took" : "drew"} ${name}`,
};

/** How the token came: drawn, kept or put there; with its own figures where the sentence has not named it. */
function came(token, candidates) {
  const arrival = (ARRIVALS[token.origin] ?? ARRIVALS.drawn)(quoted(token), token.temperature <= GREEDY_AT);
  const odd = token.origin !== "forced" && token.surprisal_after - token.entropy_after >= AGAINST_THE_ODDS;
  const against = odd ? " against the odds" : "";
  if (candidates.some((alternative) => alternative.token === token.token)) return arrival + against;
  return `${arrival}${against}, ${percent(token.probability)} before and ${percent(token.probability_after)} after`;
}

function share(alternative) {
  return `\`${visible(alternative.text)}\` ${percent(alternative.probability)}`;
}

/** `a` 40%, `b` 30% and `c` 25%. */
function listed(alternatives) {
  const shares = alternatives.map(share);
  return `${shares.slice(0, -1).join(", ")} and ${shares.at(-1)}`;
}

/** 40/30/25%. */
function joined(percentages) {
  return `${percentages.map((text) => text.replace(/%+$/, "")).join("/")}%`;
}

/** One of the token's alternatives by its number, between backticks. */
function named(token, number) {
  const found = token.alternatives.find((alternative) => alternative.token === number);
  return `\`${found ? visible(found.text) : `token ${number}`}\``;
}

/** The token between backticks, white space visible; a control token by its name where the trace knows it. */
export function quoted(token) {
  return token.bytes ? `\`${visible(decoded(token.bytes))}\`` : named(token, token.token);
}

/** The token as it stands in a running text, and whether that is a mark for what adds no text by itself. */
export function flowing(token) {
  const { text } = token;
  if (!text) return { text: quoted(token).slice(1, -1), mark: true };
  if (BLANK.test(text) || text.includes("  ")) return { text: visible(text), mark: false };
  return { text: visible(text).replaceAll("␣", " "), mark: false };
}

/** `text` with white space and control characters made visible. */
export function visible(text) {
  const shown = text.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥");
  return shown.replace(HIDDEN, escaped);
}

/** The text of bytes in hexadecimal; what is no UTF-8 stands as `\x..`. */
export function decoded(hex) {
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at, decoder);
    text += length ? decoder.decode(bytes.subarray(at, at + length)) : `\\x${hex.slice(2 * at, 2 * at + 2)}`;
    at += length || 1;
  }
  return text;
}

/** How many bytes the character at `at` has, 0 where there is none. */
function characterLength(bytes, at, decoder) {
  const lead = bytes[at];
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  try {
    decoder.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}

/** A probability in as few digits as say something: 41%, 3.2%, <0.01%, >99.9%; 0% and 100% only where exact. */
export function percent(probability) {
  if (probability > 0 && probability < 0.0001) return "<0.01%";
  if (probability >= 0.9995 && probability < 1) return ">99.9%";
  if (probability >= 0.995 && probability < 0.9995) return `${roundedText(100 * probability, 1)}%`;
  return `${roundedText(100 * probability, decimals(100 * probability, 2))}%`;
}

/** A temperature in three digits: 0.307, 1.2, 35, <0.001, inf. */
export function temperature(value) {
  if (value > 0 && value < 0.001) return "<0.001";
  if (value > 1e6) return value === Infinity ? "inf" : ">1000000";
  return roundedText(value, decimals(value, 3));
}

/** `T = 0.51`; `T ≈ 1` where it is 1 to three digits only, `T ≈ 0` where it counts as 0. */
export function atTemperature(value) {
  const shown = value <= GREEDY_AT ? "0" : temperature(value);
  if ("<>".includes(shown[0])) return `T ${shown[0]} ${shown.slice(1)}`;
  return ["0", "1"].includes(shown) && value !== Number(shown) ? `T ≈ ${shown}` : `T = ${shown}`;
}

/** How many places behind the point show `digits` digits of a value below 10**digits, at most 5. */
function decimals(value, digits) {
  let places = digits - 1;
  let limit = 10 - 0.5 / 10 ** places; // what rounds to 10 has one place less
  while (value >= limit && places > 0) {
    places -= 1;
    limit *= 10;
  }
  while (value > 0 && value < limit / 10 && places < 5) {
    places += 1;
    limit /= 10;
  }
  return places;
}

/** `value` rounded half up, without zeros at its end. */
function roundedText(value, places) {
  return shortest(Math.floor(value * 10 ** places + 0.5) / 10 ** places);
}
