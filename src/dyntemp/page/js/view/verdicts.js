/** The verdicts on the policy in the box: what is certain, what it rests on, and where its proof is. */

import { byId, element } from "./dom.js";
import { verdictsOn } from "./live.js";

const WORDS = new Map([
  [true, "Certain"],
  [false, "Does not hold"],
  [null, "Cannot be said"],
]);

/** The list of verdicts. The server is asked while the list is open, once for each policy. */
export class Verdicts {
  constructor() {
    this.place = byId("verdicts");
    this.place.hidden = false;
    this.place.addEventListener("toggle", () => this.tell());
    this.wanted = null;
    this.told = null;
  }

  /** Tell of `policy`, a text, on rows of `vocabulary` entries, or of as many as the model has. */
  on(policy, vocabulary = null) {
    this.wanted = { policy, vocabulary };
    this.tell();
  }

  async tell() {
    const wanted = this.wanted;
    const same = this.told?.policy === wanted?.policy && this.told?.vocabulary === wanted?.vocabulary;
    if (!wanted || !this.place.open || same) return;
    this.told = wanted;
    const items = await answered(wanted);
    if (this.told === wanted) byId("verdict-list").replaceChildren(...items);
  }
}

async function answered(wanted) {
  try {
    return (await verdictsOn(wanted)).map(itemOf);
  } catch (error) {
    return [element("li", { class: "error" }, error.message)];
  }
}

function itemOf({ claim, holds, evidence, link }) {
  return element(
    "li",
    {},
    element("b", {}, WORDS.get(holds)),
    `: ${claim}`,
    element("div", { class: "note" }, `${evidence} (${link})`),
  );
}
