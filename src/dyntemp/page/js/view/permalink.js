/** The state of the page in its address, behind the `#`. */

const NAMES = ["example", "policy", "colour", "at"];

/** The state in the address: {example, policy, colour, at}, each text or null. */
export function linked() {
  const said = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(NAMES.map((name) => [name, said.get(name)]));
}

/** Write it into the address; what is null or empty is left out. */
export function link(state) {
  const said = new URLSearchParams(
    NAMES.filter((name) => state[name] ?? "").map((name) => [name, String(state[name])]),
  );
  const hash = said.size ? `#${said}` : "";
  if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname + location.search);
}
