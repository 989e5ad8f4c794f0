/** A policy that cannot be read, or that could return a temperature that makes no sense. */
export class PolicyError extends Error {
  /**
   * `position` is the character at which the fault begins and `end` the one behind it, both null where it belongs to no
   * single place. `excerpt` shows that place below the sentence.
   */
  constructor(sentence, position = null, end = position, excerpt = "") {
    super(sentence + excerpt);
    this.name = "PolicyError";
    this.sentence = sentence;
    this.position = position;
    this.end = end;
  }
}
