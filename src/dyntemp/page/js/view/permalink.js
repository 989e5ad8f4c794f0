/** The state of the page in its address, behind the `#`. */

const NAMES = ["example", "policy", "colour", "at"];

/** The state in the address: {example, policy, colour, at}, each text or null. */
export function linked() {
  const said = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(NAMES.map((name) => [name, said.get(name)]));
}

/** The end of the address of a state; what is null or empty is left out. */
export function hashOf(state) {
  const said = new URLSearchParams(
    NAMES.filter((name) => state[name] ?? "").map((name) => [name, String(state[name])]),
  );
  return said.size ? `#${said}` : "";
}

/** Write a state into the address. */
export function link(state) {
  const hash = hashOf(state);
  if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname + location.search);
}
