/** Bytes as text with a character for each byte, which regular expressions can search. */

/** The bytes of a text in UTF-8. */
export function bytesOf(text) {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

/** The bytes that a trace writes in hexadecimal. */
export function bytesOfHex(digits) {
  return (digits.match(/[0-9a-f]{2}/gi) ?? []).map((pair) => String.fromCharCode(parseInt(pair, 16))).join("");
}
