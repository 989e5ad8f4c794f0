/** The zones of a recorded text, followed again for policies that read more of them than its run recorded. */

import { PolicyError } from "../errors.js";
import { bytesOf, bytesOfHex } from "../zones/bytes.js";
import { ZoneTracker } from "../zones/tracker.js";

/** The text before the records of a request, as its header tells it, and the zones that its run defined. */
export function recordedText({ rendered = [], settings = {} }, request) {
  return { prompt: rendered[request] ?? null, zones: settings.zones ?? [] };
}

/** The recorded signals of each token, and the value of each `inside` that the policy reads. */
export function withZones(tokens, policy, { prompt = null, zones = [] }) {
  const wanted = policy.needs.filter(({ node }) => node.name === "inside");
  const lacks = wanted.filter(({ text }) => tokens.some(({ signals }) => !Object.hasOwn(signals, text)));
  if (!lacks.length) return tokens.map(({ signals }) => signals);
  const names = lacks.map(({ node }) => node.key);
  const tracker = new ZoneTracker(names, zones, policy.zones);
  if (prompt === null || tokens[0].position > 0) {
    throw new PolicyError(
      `\`${policy.text}\` reads ${lacks.map(({ text }) => `\`${text}\``).join(", ")}, which these records do not ` +
        "hold, nor do they hold the text from its beginning: record with this dyntemp, from the first token on",
    );
  }
  let state = tracker.advance(tracker.start, bytesOf(prompt));
  return tokens.map(({ signals, bytes, name }) => {
    const inside = tracker.inside(state).map((value, at) => [lacks[at].text, value]);
    state = tracker.advance(state, bytesOfHex(bytes) || bytesOf(name));
    return { ...signals, ...Object.fromEntries(inside) };
  });
}
