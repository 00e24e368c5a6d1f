#!/usr/bin/env bash
# What results/theory/ holds: every statement with its defaults, theorem 2 on more random trees.
# It goes on to the end, and fails if an inequality does not hold or a statement cannot be run.
#
#   [OUT=results/theory] launch/theory_results.sh
set -uo pipefail
cd "$(dirname "$0")/.." || exit

out=${OUT:-results/theory}
command=${KL_DERAIL:-.venv/bin/kl-derail}
export OMP_NUM_THREADS=1 # small arrays: more threads only wait

failed=0
for statement in prop1 thm1 prop2 pessimism; do
  "$command" theory "$statement" --out "$out/$statement" --overwrite || failed=1
done
"$command" theory thm2 --trees 1000 --out "$out/thm2" --overwrite || failed=1
exit $failed
