import json

import pytest
import torch

from kl_derail.errors import UserError
from kl_derail.ppo import checkpoint
from kl_derail.ppo.checkpoint import (
    Checkpoint,
    Progress,
    list_checkpoints,
    load_checkpoint,
    load_newest,
    newest_whole,
    save_checkpoint,
)


def make(update=1, value=1.0):
    return Checkpoint(
        base_fingerprint="f" * 64,
        progress=Progress(update, 100 * update),
        agent={"w": torch.full((3, 2), value), "n": torch.tensor(1.5, dtype=torch.float64)},
        optimiser={"0.exp_avg": torch.randn(3, 2), "0.step": torch.tensor(4.0)},
        rewards={"great": 0.1 + 0.2, "naïve \udcff \n": 0.25},
    )


def test_what_is_saved_is_loaded(tmp_path):
    made = make()
    found = load_checkpoint(save_checkpoint(tmp_path, made))
    assert found.progress == made.progress
    assert found.rewards == made.rewards
    assert found.base_fingerprint == made.base_fingerprint
    for name, tensor in {**made.agent, **made.optimiser}.items():
        assert torch.equal({**found.agent, **found.optimiser}[name], tensor)


def test_only_the_newest_are_kept(tmp_path):
    for update in range(1, 6):
        save_checkpoint(tmp_path, make(update), keep=2)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["update-000004", "update-000005"]


def test_a_write_that_dies_leaves_the_old_one_alone(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, make(1))
    real = checkpoint._write
    for point in range(5):
        written = []

        def dies(path, content, point=point, written=written):
            if len(written) == point:
                path.write_bytes(content[: len(content) // 2])
                raise OSError("the disk is full")
            written.append(path)
            real(path, content)

        monkeypatch.setattr(checkpoint, "_write", dies)
        with pytest.raises(OSError, match="full"):
            save_checkpoint(tmp_path, make(2, value=2.0))
        monkeypatch.setattr(checkpoint, "_write", real)
        assert load_newest(tmp_path).progress == Progress(1, 100)
    save_checkpoint(tmp_path, make(2, value=2.0))
    assert load_newest(tmp_path).progress == Progress(2, 200)


@pytest.mark.parametrize(
    "name", ["agent.safetensors", "optimiser.safetensors", "rewards.json", "state.json"]
)
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_damage_is_found_and_the_newest_whole_one_wins(tmp_path, name, damage):
    save_checkpoint(tmp_path, make(1))
    folder = save_checkpoint(tmp_path, make(2))
    content = bytearray((folder / name).read_bytes())
    if damage == "gone":
        (folder / name).unlink()
    elif damage == "cut":
        (folder / name).write_bytes(content[:-3])
    else:
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        load_checkpoint(folder)
    with pytest.raises(UserError, match=name):
        load_newest(tmp_path)
    found, wrong = newest_whole(tmp_path)
    assert found.progress.update == 1
    assert [name in str(each) for each in wrong] == [True]


def test_another_format_is_refused(tmp_path):
    folder = save_checkpoint(tmp_path, make())
    state = json.loads((folder / "state.json").read_text())
    content = checkpoint._json({**state, "format": 99})
    (folder / "state.json").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["state.json"] = checkpoint.hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="format 99, allowed 1"):
        load_checkpoint(folder)


def test_optimiser_state_survives_flattening():
    def made():
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(4))
        return weight, torch.optim.Adam([{"params": [weight], "lr": 0.1}], eps=1e-5)

    def step(weight, optimiser):
        optimiser.zero_grad()
        (weight**3).sum().backward()
        optimiser.step()

    weight, optimiser = made()
    for _ in range(3):
        step(weight, optimiser)
    copy, other = made()
    copy.data.copy_(weight.data)
    state = {name: part.clone() for name, part in checkpoint.optimiser_tensors(optimiser).items()}
    checkpoint.restore_optimiser(other, state)
    step(weight, optimiser)
    step(copy, other)
    assert torch.equal(weight, copy)


def test_an_agent_of_another_shape_is_refused():
    with pytest.raises(UserError, match="init_from: RUN: its agent has another shape"):
        checkpoint.restore_agent(torch.nn.Linear(2, 2), make(), "init_from: RUN")


def test_a_run_without_checkpoints_says_so(tmp_path):
    with pytest.raises(UserError, match="holds no checkpoint"):
        load_newest(tmp_path)
