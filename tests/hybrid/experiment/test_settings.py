import pytest

from kl_derail.config import parse
from kl_derail.errors import UserError
from kl_derail.hybrid.experiment.settings import HybridOptions, experiments
from kl_derail.hybrid.experiment.worlds import MODULES, world


def planned(name, *flags):
    chosen = world(name)
    options, own = parse((HybridOptions, chosen.options), flags, command="hybrid run")
    return list(experiments(name, chosen, options, own))


def by_name(plans):
    return {(each.objective, each.comparison): (each, trials) for each, trials in plans}


@pytest.mark.parametrize("name", MODULES)
def test_the_config_file_stands_for_the_published_experiments(name):
    config = ("--config", f"configs/hybrid/{name}.yaml")
    baselines = {"tabular": ("lcb", "cloning", "hy-q"), "bandit": ("lcb", "cloning")}.get(name, ())
    assert planned(name, *config) == planned(name, "--baselines", *baselines)
    assert planned(name, *config, "--baselines") == planned(name)


def test_the_published_tabular_experiments():
    plans = by_name(planned("tabular"))
    sizes, trials = plans["regret", "sizes"]
    assert trials == 100
    assert sizes.episodes == 20_000
    assert [(m.label, m.behaviour, m.n_offline) for m in sizes.methods] == [
        ("online", "", 0),
        ("N0=500", "softmax:2", 500),
        ("N0=1000", "softmax:2", 1000),
        ("N0=2000", "softmax:2", 2000),
    ]
    behaviours, _ = plans["suboptimality", "behaviours"]
    assert [(m.label, m.behaviour, m.n_offline) for m in behaviours.methods] == [
        ("online", "", 0),
        ("rho1", "optimal", 1000),
        ("rho2", "softmax:2", 1000),
        ("rho3", "uniform", 1000),
    ]


def test_the_published_bandit_experiments():
    plans = by_name(planned("bandit"))
    assert {key: each.episodes for key, (each, _) in plans.items()} == {
        ("suboptimality", "behaviours"): 10_000,
        ("suboptimality", "sizes"): 50_000,
        ("regret", "behaviours"): 20_000,
        ("regret", "sizes"): 20_000,
    }
    assert {method.n_offline for method in plans["regret", "sizes"][0].methods} == {
        0, 1000, 2000, 4000,
    }  # fmt: skip


def test_flags_change_one_thing():
    (only,) = planned(
        "tabular", "--objectives", "regret", "--comparisons", "behaviours", "--scale", "1"
    )
    assert only[0].scale == 1
    assert only[0].methods == by_name(planned("tabular"))["regret", "behaviours"][0].methods


def test_pure_online_is_always_there_and_only_once():
    (only,) = planned("tabular", "--objectives", "regret", "--comparisons", "sizes", "--sizes", "0")
    assert [method.label for method in only[0].methods] == ["online"]


def test_baselines_come_last_and_only_where_the_world_knows_them():
    first, _ = planned("tabular", "--baselines", "lcb", "hy-q")[0]
    assert [method.label for method in first.methods[-2:]] == ["offline LCB", "Hy-Q"]
    with pytest.raises(UserError, match="baselines: found hy-q, allowed lcb, cloning"):
        planned("bandit", "--baselines", "hy-q")


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("--n_offline", "-1"), "n_offline: found -1, allowed >= 0"),
        (("--episodes", "-5"), "episodes: found -5, allowed >= 1"),
        (("--sizes", "10", "-2"), "sizes: found -2"),
        (("--objectives", "speed"), "objectives"),
        (("--bonus", "bayes"), "bonus: found bayes"),
        (("--behaviours",), "behaviours: found none, allowed one or more"),
        (("--sizes",), "sizes: found none, allowed one or more"),
        (("--sizes", "ten"), "a list, each item a whole number, or null for the whole"),
        (
            ("--bonus", "valid", "--scale", "1"),
            "scale: found 1.0, which has no effect with --bonus",
        ),
        (("--delta", "0.1"), "delta: found 0.1, which has no effect without --bonus valid"),
        (("--scheduler", "tcp://x"), "scheduler: found tcp://x, which has no effect without"),
    ],
)
def test_what_makes_no_sense_is_one_line(flags, line):
    with pytest.raises(UserError, match=line):
        planned("tabular", *flags)


@pytest.mark.parametrize("name", ["tabular", "bandit", "movielens"])
def test_the_config_file_goes_with_valid_bonuses(name):
    plans = planned(name, "--config", f"configs/hybrid/{name}.yaml", "--bonus", "valid")
    assert {experiment.bonus for experiment, _ in plans} == {"valid"}


def test_an_unknown_world_is_one_line():
    with pytest.raises(UserError, match=r"found tabula, .*did you mean tabular"):
        world("tabula")
