#!/usr/bin/env bash
# All published experiments of study B at full size, with baselines in the same runs; Mountain Car as published and with
# converged values; the tabular experiments by bonus scale; the statistical coverage study; then the figures.
# Resumable: run it again after an interruption (after kill -9, worker processes live on for some minutes; they write
# nothing). MovieLens needs ratings: RATINGS=path/to/u.data, or RATINGS=synthetic for a labelled stand-in.
#
#   [OUT=results/hybrid] [RUNS=runs/hybrid] [RATINGS=FILE] [WORKERS=2] launch/reproduce_hybrid.sh
set -euo pipefail
cd "$(dirname "$0")/.."

out=${OUT:-results/hybrid}
runs=${RUNS:-runs/hybrid}
command=${KL_DERAIL:-.venv/bin/kl-derail}
python=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1 # trials run side by side

flags=()
[[ -n ${WORKERS:-} ]] && flags+=(--workers "$WORKERS")
parts=({suboptimality,regret}-{behaviours,sizes})

# run WORLD SUBFOLDER [options]: all experiments of a world below $runs/SUBFOLDER, and their figures
run() {
  local world=$1 sub=$2
  shift 2
  "$command" hybrid run "$world" --config "configs/hybrid/$world.yaml" --out "$runs/$sub" "${flags[@]}" "$@"
  "$command" hybrid figures "${parts[@]/#/$runs/$sub/$world-}" --out "$out/$sub" --averaging both
}

run tabular tabular
run bandit bandit
run mountain-car mountain-car
# The preset gives way to a file of settings, so these are the published experiments by their defaults.
"$command" hybrid run mountain-car --preset published --out "$runs/mountain-car-published" "${flags[@]}"
"$command" hybrid figures "${parts[@]/#/$runs/mountain-car-published/mountain-car-}" \
  --out "$out/mountain-car-published" --averaging both

for scale in 0.1 0.3 1; do # sqrt(15) is the published scale: the folder "tabular"
  run tabular "tabular-scale-$scale" --scale "$scale"
done
run tabular tabular-valid --bonus valid

if [[ -n ${RATINGS:-} ]]; then
  run movielens movielens --ratings "$RATINGS"
else
  echo "MovieLens is left out: set RATINGS" >&2
fi

"$python" launch/hybrid_coverage.py --out "$out"
