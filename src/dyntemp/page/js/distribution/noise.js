// Philox4x32-10, the noise of every draw (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").

const MULTIPLIERS = [0xd2511f53, 0xcd9e8d57];
const WEYL = [0x9e3779b9, 0xbb67ae85];
const ROUNDS = 10;
const WORD = 32n;
const MASK = 0xffffffffn;

/** Four 32-bit words of noise for a counter of four words and a key of two. */
export function philox(counter, key) {
  let [a, b, c, d] = counter;
  let [left, right] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const first = multiplied(MULTIPLIERS[0], a);
    const second = multiplied(MULTIPLIERS[1], c);
    [a, b, c, d] = [second.high ^ b ^ left, second.low, first.high ^ d ^ right, first.low];
    left = (left + WEYL[0]) | 0;
    right = (right + WEYL[1]) | 0;
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}

/** The product of two 32-bit words as a high and a low word, from their halves. */
function multiplied(x, y) {
  const [xHigh, xLow, yHigh, yLow] = [x >>> 16, x & 0xffff, y >>> 16, y & 0xffff];
  const middle = xHigh * yLow + ((xLow * yLow) >>> 16); // below 2**32, as float64 holds exactly
  const cross = xLow * yHigh + (middle % 0x10000);
  return { high: xHigh * yHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000), low: Math.imul(x, y) };
}

/** A number in (0, 1): 53 bits of noise, plus one half, times 2**-53. `seed` is a BigInt, a text or a number. */
export function uniform(seed, request, position, draw, purpose) {
  const whole = BigInt(seed);
  const key = [Number(whole & MASK), Number((whole >> WORD) & MASK)];
  const [high, low] = philox([request, position, draw, purpose], key);
  return (high * 2 ** 21 + (low >>> 11)) * 2 ** -53 + 2 ** -54;
}
