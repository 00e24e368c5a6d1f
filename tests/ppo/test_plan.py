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
    options = BudgetOptions(budget=20, ramp_tokens=1000)
    assert [budget_in_force(options, tokens) for tokens in (0, 500, 1000, 5000)] == [0, 10, 20, 20]
    assert budget_in_force(BudgetOptions(budget=20, ramp_tokens=0), 0) == 20


def test_a_run_ends_with_its_tokens_or_its_updates():
    run = RunOptions(total_tokens=100, max_updates=3)
    assert not is_done(run, Progress(2, 99))
    assert is_done(run, Progress(2, 100))
    assert is_done(run, Progress(3, 0))


@pytest.mark.parametrize(("schedule", "factor"), [("constant", 1.0), ("linear", 0.75)])
def test_learning_rates_follow_tokens(schedule, factor):
    run = RunOptions(total_tokens=1000)
    assert rate_factor(PPOOptions(lr_schedule=schedule), run, Progress(1, 250)) == factor


def test_resolved_options_say_everything():
    found = resolve(TrainOptions())
    assert found.run.output_dir == Path("runs/embedded-b20-l256-s0")
    assert resolve(found) == found
    ramped = BudgetOptions(ramp_tokens=1000)
    warm = resolve(TrainOptions(budget=ramped, run=RunOptions(init_from=Path("runs/a"))))
    assert warm.budget.ramp_tokens == 0


def test_equal_runs_have_equal_names_wherever_they_are_written():
    options = resolve(TrainOptions())
    moved = options._replace(run=RunOptions(output_dir=Path("elsewhere"), overwrite=True))
    other = options._replace(run=RunOptions(seed=1))
    assert run_id(options, "f") == run_id(moved, "f") != run_id(other, "f")
    assert run_id(options, "f") != run_id(options, "g")


def test_a_linear_schedule_binds_the_run_to_its_length():
    constant, linear = (PPOOptions(lr_schedule=schedule) for schedule in ("constant", "linear"))
    assert "total_tokens" in may_change(constant)
    assert "total_tokens" not in may_change(linear)


def test_what_shapes_the_start_is_part_of_the_name():
    options = resolve(TrainOptions())
    names = {
        run_id(options._replace(run=run), "f")
        for run in (RunOptions(), RunOptions(eval_episodes=7), RunOptions(init_from=Path("a")))
    }
    assert len(names) == 3
