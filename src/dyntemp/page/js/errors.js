/** A policy that cannot be read, or that could return a temperature that makes no sense. */
export class PolicyError extends Error {
  /** `position` is the character at which the fault begins, or null where it belongs to no single place. */
  constructor(message, position = null) {
    super(message);
    this.name = "PolicyError";
    this.position = position;
  }
}
