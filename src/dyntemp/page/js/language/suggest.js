// The nearest known name to a misspelt one, as Python's `difflib` finds it.

const CUTOFF = 0.6;

/** `; did you mean ...?` for a misspelt name, or nothing where no known name is close. */
export function suggestion(name, known) {
  let best = null;
  for (const candidate of known) {
    if (2 * Math.min(candidate.length, name.length) < CUTOFF * (candidate.length + name.length)) continue;
    const ratio = similarity(candidate, name);
    if (ratio < CUTOFF) continue;
    if (best === null || ratio > best.ratio || (ratio === best.ratio && candidate > best.candidate)) {
      best = { ratio, candidate };
    }
  }
  return best === null ? "" : `; did you mean \`${best.candidate}\`?`;
}

/** Twice the characters in matching blocks, over the characters of both. */
export function similarity(left, right) {
  const total = left.length + right.length;
  return total ? (2 * matching(left, right)) / total : 1;
}

/** How many characters match: the longest common part, then what matches on either side of it. */
function matching(left, right) {
  const { start, other, size } = longestMatch(left, right);
  if (!size) return 0;
  const before = matching(left.slice(0, start), right.slice(0, other));
  return size + before + matching(left.slice(start + size), right.slice(other + size));
}

/** The longest common part, the first in `left` and then in `right` among equals. */
function longestMatch(left, right) {
  let best = { start: 0, other: 0, size: 0 };
  let above = new Array(right.length + 1).fill(0);
  for (let i = 0; i < left.length; i++) {
    const row = new Array(right.length + 1).fill(0);
    for (let j = 0; j < right.length; j++) {
      if (left[i] !== right[j]) continue;
      row[j + 1] = above[j] + 1;
      if (row[j + 1] > best.size) best = { start: i - row[j + 1] + 1, other: j - row[j + 1] + 1, size: row[j + 1] };
    }
    above = row;
  }
  return best;
}
