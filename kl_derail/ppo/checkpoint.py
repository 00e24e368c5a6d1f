"""Checkpoints: tensors in safetensors, the rest in JSON, a checksum for each file, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from kl_derail.errors import UserError

FORMAT = 1
FOLDER = "checkpoints"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        update: updates done.
        agent_tokens: tokens that the agent has chosen in them.
    """

    update: int = 0
    agent_tokens: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """Everything from which a run goes on as if it had not stopped.

    Random streams depend on (seed, update, chat) alone, so there is no random state to keep.

    Attributes:
        base_fingerprint: of the base that the agent was trained on.
        progress: how far the run is.
        agent: state of the agent's module.
        optimiser: state of Adam, flat: "NUMBER.NAME" of each parameter.
        rewards: every score given so far; a classifier's last bits depend on its batch.
    """

    base_fingerprint: str
    progress: Progress
    agent: Mapping[str, Tensor]
    optimiser: Mapping[str, Tensor]
    rewards: Mapping[str, float] = field(default_factory=dict)


def save_checkpoint(run: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Write a checkpoint under its number and forget all but the newest `keep`.

    The folder appears under its name only when every byte is on the disk.
    """
    folder = run / FOLDER / f"update-{checkpoint.progress.update:06d}"
    for left_over in (run / FOLDER).glob(".*.partial"):
        shutil.rmtree(left_over)
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(parents=True)
    files = {
        "agent.safetensors": _tensors(checkpoint.agent),
        "optimiser.safetensors": _tensors(checkpoint.optimiser),
        "rewards.json": _json(dict(checkpoint.rewards)),
        "state.json": _json(
            {
                "format": FORMAT,
                "base_fingerprint": checkpoint.base_fingerprint,
                "progress": asdict(checkpoint.progress),
            }
        ),
    }
    manifest = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for name, content in [*files.items(), (MANIFEST, _json(manifest))]:
        _write(partial / name, content)
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    for old in list_checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    return folder


def list_checkpoints(run: Path) -> list[Path]:
    """Folders of a run's checkpoints, oldest first."""
    return sorted((run / FOLDER).glob("update-*"))


def load_newest(run: Path, *, device: torch.device | str = "cpu") -> Checkpoint:
    """The newest checkpoint of a run.

    Raises:
        UserError: the run has none, or it is damaged.
    """
    found = list_checkpoints(run)
    if not found:
        raise UserError(f"{run}: holds no checkpoint ({FOLDER}/update-*)")
    return load_checkpoint(found[-1], device=device)


def newest_whole(
    run: Path, *, device: torch.device | str = "cpu"
) -> tuple[Checkpoint, list[UserError]]:
    """The newest checkpoint of a run that is whole, and what is wrong with the newer ones.

    Raises:
        UserError: the run has none; names the damage of the newest.
    """
    damage: list[UserError] = []
    for folder in reversed(list_checkpoints(run)):
        try:
            return load_checkpoint(folder, device=device), damage
        except UserError as error:
            damage.append(error)
    raise damage[0] if damage else UserError(f"{run}: holds no checkpoint ({FOLDER}/update-*)")


def load_checkpoint(folder: Path, *, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint after checking each file against its checksum.

    Raises:
        UserError: a file is missing, damaged, or of another format.
    """
    manifest = _parsed(folder / MANIFEST, _read(folder / MANIFEST))
    content: dict[str, bytes] = {}
    for name, checksum in manifest.items():
        content[name] = _read(folder / name)
        if hashlib.sha256(content[name]).hexdigest() != checksum:
            raise UserError(f"{folder / name}: damaged, its checksum does not match the manifest's")
    try:
        state = _parsed(folder / "state.json", content["state.json"])
        if state["format"] != FORMAT:
            raise UserError(
                f"{folder}: found checkpoint format {state['format']}, allowed {FORMAT}"
            )
        return Checkpoint(
            base_fingerprint=state["base_fingerprint"],
            progress=Progress(**state["progress"]),
            agent=_loaded(content["agent.safetensors"], device),
            optimiser=_loaded(content["optimiser.safetensors"], device),
            rewards=_parsed(folder / "rewards.json", content["rewards.json"]),
        )
    except (KeyError, TypeError, safetensors.SafetensorError) as error:
        raise UserError(f"{folder}: not a checkpoint of kl_derail: {error!r}") from error


def restore_agent(agent: torch.nn.Module, found: Checkpoint, what: str) -> None:
    """Put a checkpoint's weights into an agent; `what` names the checkpoint in messages.

    Raises:
        UserError: the agent has another shape.
    """
    try:
        agent.load_state_dict(dict(found.agent))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise UserError(f"{what}: its agent has another shape: {reason}") from error


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimiser as flat tensors."""
    state = cast(dict[int, dict[str, Tensor]], optimiser.state_dict()["state"])
    return {
        f"{number}.{name}": tensor
        for number, entry in state.items()
        for name, tensor in entry.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put flat tensors back into an optimiser of the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def _tensors(tensors: Mapping[str, Tensor]) -> bytes:
    return safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    )


def _loaded(content: bytes, device: torch.device | str) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in safetensors.torch.load(content).items()}


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True).encode(
        "utf-8", "surrogatepass"
    )


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise UserError(f"{path}: damaged, not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: damaged, found {type(value).__name__} where a mapping belongs")
    return value


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read this file: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
