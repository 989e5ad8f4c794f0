#!/usr/bin/env bash
# The tunings behind the presets, one after the other, each by two processes: bash evidence/tuning/tune.sh FOLDER
set -euo pipefail

export OMP_NUM_THREADS=1
# glibc gives large blocks back to the system after every step, and clearing new ones took a quarter of the time
export MALLOC_MMAP_THRESHOLD_=2000000000 MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_ARENA_MAX=2

tune() {
    local name=$1
    shift
    for _ in 1 2; do
        dyntemp tune "$@" --model transformers:smollm2 --batch 512 --seed 18 -o "$folder/$name" &
    done
    wait
}

folder=$1
tune code greedy_threshold --min-p 0:0.3 --task code --items tune=24 --items val=20 --items test=32 --samples val=32 --samples test=64
tune text "free margin" --min-p 0:0.3 --task fluency --task instructions --items tune=12 --items val=8 --items test=20 --samples val=16 --samples test=32
tune dialogue hvh_drift --min-p 0:0.3 --task instructions --task letters --items tune=12 --items val=12 --items test=32 --samples val=16 --samples test=16
tune precise greedy_threshold --min-p 0:0.3 --objective accuracy --task letters --task mul --task add --items tune=24 --items val=15 --items test=48
tune creative "free margin" --min-p 0:0.3 --task fluency
