import numpy as np

from kl_derail.hybrid.experiment.seeds import streams


def test_a_trial_has_the_streams_of_its_spawned_child():
    for trial, child in enumerate(np.random.SeedSequence(5).spawn(4)):
        expected = [np.random.default_rng(each).random(3) for each in child.spawn(2)]
        found = [generator.random(3) for generator in streams(5, trial)]
        np.testing.assert_array_equal(found, expected)


def test_methods_share_their_luck_and_trials_do_not():
    first, again, other = streams(0, 1), streams(0, 1), streams(0, 2)
    assert first.online.random() == again.online.random() != other.online.random()
    assert streams(0, 1).offline.random() != streams(0, 1).online.random()
