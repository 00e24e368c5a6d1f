from pathlib import Path

import pytest

from kl_derail.ppo.checkpoint import Progress
from kl_derail.ppo.options import BudgetOptions, PPOOptions, RunOptions
from kl_derail.ppo.plan import (
    TrainOptions,
    budget_in_force,
    is_done,
    may_change,
    rate_factor,
    resolve,
    run_id,
)


def test_the_budget_rises_linearly_and_stays():
    run, ramped = RunOptions(total_tokens=2000), BudgetOptions(budget=20, budget_ramp=0.5)
    found = [budget_in_force(ramped, run, Progress(1, n)) for n in (0, 500, 1000, 1500, 2500)]
    assert found == [0, 10, 20, 20, 20]
    assert budget_in_force(BudgetOptions(budget=20, budget_ramp=0.0), run, Progress()) == 20


def test_a_run_ends_with_its_tokens_or_its_updates():
    run = RunOptions(total_tokens=100, max_updates=3)
    assert not is_done(run, Progress(2, 99))
    assert is_done(run, Progress(2, 100))
    assert is_done(run, Progress(3, 0))


@pytest.mark.parametrize(
    ("decay", "factors"),
    [(0.0, [1, 1, 1, 1, 1]), (0.5, [1, 1, 1, 0.5, 0]), (1.0, [1, 0.75, 0.5, 0.25, 0])],
)
def test_learning_rates_fall_over_the_last_share_of_the_tokens(decay, factors):
    run, options = RunOptions(total_tokens=1000), PPOOptions(lr_decay=decay)
    found = [rate_factor(options, run, Progress(1, tokens)) for tokens in range(0, 1001, 250)]
    assert found == factors
    assert rate_factor(options, run, Progress(1, 1100)) == factors[-1]


def test_resolved_options_say_everything():
    found = resolve(TrainOptions())
    assert found.run.output_dir == Path("runs/embedded-b20-l256-s0")
    assert resolve(found) == found
    ramped = BudgetOptions(budget_ramp=0.5)
    warm = resolve(TrainOptions(budget=ramped, run=RunOptions(init_from=Path("runs/a"))))
    assert warm.budget.budget_ramp == 0


def test_equal_runs_have_equal_names_wherever_they_are_written():
    options = resolve(TrainOptions())
    moved = options._replace(run=RunOptions(output_dir=Path("elsewhere"), overwrite=True))
    other = options._replace(run=RunOptions(seed=1))
    assert run_id(options, "f") == run_id(moved, "f") != run_id(other, "f")
    assert run_id(options, "f") != run_id(options, "g")


@pytest.mark.parametrize(
    ("decay", "ramp", "free"), [(0.0, 0.0, True), (0.3, 0.0, False), (0.0, 0.3, False)]
)
def test_what_depends_on_the_length_of_a_run_binds_it_to_its_length(decay, ramp, free):
    options = TrainOptions(ppo=PPOOptions(lr_decay=decay), budget=BudgetOptions(budget_ramp=ramp))
    assert ("total_tokens" in may_change(options)) == free


def test_what_shapes_the_start_is_part_of_the_name():
    options = resolve(TrainOptions())
    names = {
        run_id(options._replace(run=run), "f")
        for run in (RunOptions(), RunOptions(eval_episodes=7), RunOptions(init_from=Path("a")))
    }
    assert len(names) == 3
