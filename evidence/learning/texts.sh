#!/usr/bin/env bash
# Learn three shapes from the passages of evidence/theory, without a reward.
#     bash evidence/learning/texts.sh FOLDER
set -eu
here=$(dirname "$0")
learn() {
    dyntemp learn --texts "$here/../theory/passages.txt" --model transformers:smollm2 --seed 19 --filters "" -o "$@"
}
learn "$1/template" --shape 'clip(param("a", 0.1, 3) + param("b", -3, 3)*normalized_entropy, 0.1, 3)'
learn "$1/curve" --shape 'curve(entropy, 6)'
learn "$1/network" --shape network
