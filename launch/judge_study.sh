#!/bin/sh
# The three sets of the study, in the embedded world: is the agent with 10 nats better than the base, the one with 20
# better than the base, and the one with 20 better than the one with 10?
#
#     sh launch/judge_study.sh                                   # the known judge: no key, no network
#     JUDGE=api sh launch/judge_study.sh --max_cost 2            # the model of configs/judge.yaml, key in OPENAI_API_KEY
#     JUDGE=api sh launch/judge_study.sh --base_url http://localhost:8000/v1 --model my-model
#
# Other options of `kl-derail judge` can follow. It goes on where it stopped. PAIRS can be no more than the episodes of a
# file, 256 here; for the 300 of the study play more and name them:
#
#     kl-derail rollout RUN -n 512 --name judge                  # of both runs
#     kl-derail rollout RUN --policy base -n 512 --name judge-base   # of the one with 20 nats
#     PAIRS=300 AGENT=judge BASE=judge-base sh launch/judge_study.sh
# Paths are those of the repository; KL_DERAIL names another kl-derail than that of .venv.
set -eu
cd "$(dirname "$0")/.."

JUDGE=${JUDGE:-trusted}
TEN=${TEN:-runs/embedded_world/derails-0-b10-s0}/transcripts
TWENTY=${TWENTY:-runs/embedded_world/derails-0-b20-s0}/transcripts
AGENT=${AGENT:-agent-256}.parquet
BASE=${BASE:-base-256}.parquet
PAIRS=${PAIRS:-256}
OUT=${OUT:-results/judge/$JUDGE}

# The known judge knows one quality; any other one is held against it.
if [ "$JUDGE" = trusted ]; then
    set -- --quality better "$@"
else
    set -- --truth trusted "$@"
fi

# One file of the base serves both agents, so that it is one source.
exec "${KL_DERAIL:-.venv/bin/kl-derail}" judge --config configs/judge.yaml --judge "$JUDGE" --pairs "$PAIRS" --out "$OUT" \
    --a "$TEN/$AGENT" "$TWENTY/$AGENT" "$TWENTY/$AGENT" \
    --b "$TWENTY/$BASE" "$TWENTY/$BASE" "$TEN/$AGENT" \
    --label "10 nats vs base" "20 nats vs base" "20 nats vs 10 nats" "$@"
