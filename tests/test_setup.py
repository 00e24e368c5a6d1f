"""From options to a stage and a reward; what contradicts itself is refused in one line."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from kl_derail import embedded
from kl_derail.chat import BasePolicy, Draw, rollout
from kl_derail.embedded.trusted import GRAMMAR
from kl_derail.errors import UserError
from kl_derail.setup import (
    BaseOptions,
    RewardOptions,
    SceneOptions,
    build_reward,
    build_scene,
    build_stage,
    choose_device,
)
from tests.models import OPENING, Models, copy_embedded, save_classifier

CPU = torch.device("cpu")


def refused(caught: pytest.ExceptionInfo[UserError], *parts: str) -> None:
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_the_built_in_stage() -> None:
    stage = build_stage(BaseOptions(device="cpu"), SceneOptions(length=64), feature_layers=3)
    assert stage.scene.opening == embedded.OPENING
    assert stage.scene.agent == "Teacher"
    assert stage.feature_layers == 3
    assert stage.n_features == 3 * 128
    assert stage.base.name == str(embedded.base_path())
    played = rollout(stage, BasePolicy(), Draw(0, 0, range(1), 0.0), keep_samples=True)
    assert played.samples is not None
    assert played.samples.view.features.shape[1] == stage.n_features


def test_a_folder_with_an_opening(models: Models) -> None:
    base = BaseOptions(base=str(models.folder("llama")), dtype="bfloat16", device="cpu")
    scene = SceneOptions(
        opening=OPENING, agent="Student", student_temperature=0.5, max_reply_tokens=7
    )
    stage = build_stage(base, scene, feature_layers=1)
    assert stage.base.model.dtype == torch.bfloat16
    assert (stage.scene.agent, stage.scene.student_temperature) == ("Student", 0.5)
    assert (stage.scene.max_reply_tokens, stage.scene.length) == (7, 256)


def test_another_base_needs_an_opening() -> None:
    with pytest.raises(UserError) as caught:
        build_scene(BaseOptions(base="owner/name"), SceneOptions())
    refused(caught, "opening: needed with --base owner/name")
    with pytest.raises(UserError) as caught:
        build_scene(BaseOptions(base="embedded-controll"), SceneOptions())
    refused(caught, "did you mean embedded-control")


def test_bases_of_the_built_in_world_have_its_opening(tmp_path: Path) -> None:
    folder = copy_embedded(tmp_path / "base", GRAMMAR)
    for name in ("embedded", "embedded-control", str(folder)):
        assert build_scene(BaseOptions(base=name), SceneOptions()).opening == embedded.OPENING
    (folder / "config.json").write_text("[")
    with pytest.raises(UserError):
        build_scene(BaseOptions(base=str(folder)), SceneOptions())


def test_the_control_is_another_base() -> None:
    options = BaseOptions(base="embedded-control", device="cpu")
    stage = build_stage(options, SceneOptions(length=64), feature_layers=1)
    assert stage.base.name == str(embedded.base_path("control"))
    assert stage.base.trusted_policy == GRAMMAR


@pytest.mark.parametrize("name", [None, GRAMMAR, "tutoring-0"])
def test_a_base_with_another_trusted_policy_is_played_and_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str | None
) -> None:
    folder = copy_embedded(tmp_path / "base", name)
    base = BaseOptions(base=str(folder), device="cpu")
    build_stage(base, SceneOptions(opening=OPENING), feature_layers=1)
    said = capsys.readouterr().err
    if name != "tutoring-0":
        assert said == ""
        return
    assert said.count("\n") == 1
    assert "the trusted policy tutoring-0, this program knows tutoring-" in said


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"agent": "Nurse"}, "agent: found 'Nurse', allowed one of ['Teacher', 'Student']"),
        ({"speakers": ["Teacher", "Pupil"]}, "speaker 'Pupil' never speaks"),
        ({"speakers": ["Teacher"]}, "speakers:"),
        ({"opening": "Hello"}, "speaker 'Teacher' never speaks"),
        ({"length": 10}, "length: found 10, allowed > "),
        ({"length": 5000}, "length: found 5000, allowed <= 1024"),
    ],
)
def test_scenes_that_cannot_be_played(options: dict[str, Any], part: str) -> None:
    with pytest.raises(UserError) as caught:
        build_stage(BaseOptions(device="cpu"), SceneOptions(**options), feature_layers=1)
    refused(caught, part)


def test_a_bad_scene_is_refused_before_the_base_is_loaded() -> None:
    base = BaseOptions(base="/nowhere")
    with pytest.raises(UserError) as caught:
        build_stage(base, SceneOptions(opening=OPENING, agent="Nurse"), feature_layers=1)
    refused(caught, "agent:")


def test_nf4_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        build_stage(BaseOptions(quantization="nf4", device="cpu"), SceneOptions(), feature_layers=1)
    refused(caught, "quantization: found nf4", "91 GB")


def test_devices() -> None:
    assert choose_device(BaseOptions(device="cpu")) == CPU
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device(BaseOptions()).type == expected
    for device in ("banana", "cuda:99", ""):
        with pytest.raises(UserError) as caught:
            choose_device(BaseOptions(device=device))
        refused(caught, f"device: found {device!r}")


def test_threads() -> None:
    choose_device(BaseOptions(device="cpu", threads=2))
    assert torch.get_num_threads() == 2
    choose_device(BaseOptions(device="cpu"))
    assert torch.get_num_threads() == 1


def test_the_built_in_reward() -> None:
    scorer = build_reward(RewardOptions(), CPU)
    good, bad, blank = scorer([" I love it.", " I hate it.", " "])
    assert good > 0.8 > 0.2 > bad
    assert blank == 0.5


def test_a_classifier_of_ones_own(tmp_path: Path) -> None:
    scorer = build_reward(
        RewardOptions(reward=str(save_classifier(tmp_path)), blank_reward=None), CPU
    )
    first, second = scorer(["", "Yes."])
    assert 0 < first < 1
    assert first != 0.5
    assert 0 < second < 1


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that users might write."""
    made: Any = ModuleType("my_reward")
    made.score = lambda texts: [len(text) / 10 for text in texts]
    made.number = 3
    monkeypatch.setitem(sys.modules, "my_reward", made)
    return made


@pytest.mark.usefixtures("module")
def test_a_function_of_ones_own() -> None:
    scorer = build_reward(RewardOptions(reward="python:my_reward:score", blank_reward=0.25), CPU)
    assert scorer(["good", ""]) == [0.4, 0.25]


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    "name",
    ["python:", "python:my_reward", "python:my_reward:", "python:my_reward:nothing", "python:my_reward:number",
     "python:no_such_module:score", "python::score", "python:.relative:score"],
)  # fmt: skip
def test_functions_that_are_not_there(name: str) -> None:
    with pytest.raises(UserError) as caught:
        build_reward(RewardOptions(reward=name), CPU)
    refused(caught, f"reward: cannot import {name!r}" if "number" not in name else "is no function")


def test_a_reward_that_is_not_there() -> None:
    with pytest.raises(UserError) as caught:
        build_reward(RewardOptions(reward="/nowhere"), CPU)
    refused(caught, "reward: no classifier folder at '/nowhere'")
