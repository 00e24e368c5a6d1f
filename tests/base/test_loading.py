"""Loading a base: what is refused, what is frozen, what makes two bases the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from kl_derail.base import load_base
from kl_derail.base.fingerprint import base_fingerprint
from kl_derail.base.loading import locate
from kl_derail.errors import UserError
from tests.models import NAMES, SPARE, Models, byte_level_tokenizer, copy_embedded

WEIGHTS = "model.safetensors"


@pytest.fixture
def copy(models: Models, tmp_path: Path) -> Path:
    """A folder of its own with a tiny Llama."""
    return Path(shutil.copytree(models.folder("llama"), tmp_path / "base"))


def one_line(caught: pytest.ExceptionInfo[UserError]) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", NAMES)
def test_is_frozen(models: Models, name: str) -> None:
    base = models.base(name)
    assert not base.model.training
    assert not any(weight.requires_grad for weight in base.model.parameters())
    assert {weight.dtype for weight in base.model.parameters()} == {torch.float32}
    assert base.vocabulary == len(base.tokenizer) + (0 if name == "embedded" else SPARE)
    assert base.context == (1024 if name == "embedded" else 512)


def test_loads_the_very_weights(models: Models) -> None:
    stored = load_file(models.folder("llama") / WEIGHTS)
    loaded = models.base("llama").model.state_dict()
    assert set(stored) == set(loaded)
    assert all(torch.equal(stored[name], loaded[name]) for name in stored)


@pytest.mark.parametrize(
    "name", ["/nowhere/at/all", "./nowhere", "~/nowhere-at-all", "a/b/c", "", " "]
)
def test_a_missing_folder(name: str) -> None:
    with pytest.raises(UserError, match="no model folder") as caught:
        load_base(name)
    assert repr(name) in one_line(caught)


def test_a_file_is_no_folder(copy: Path) -> None:
    with pytest.raises(UserError, match="no model folder"):
        load_base(str(copy / WEIGHTS))


def test_an_unknown_hub_id() -> None:
    with pytest.raises(UserError, match="cannot load the tokenizer of 'nobody/nothing'") as caught:
        load_base("nobody/nothing")
    one_line(caught)


def test_a_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "base").mkdir()
    assert locate("~/base") == str(tmp_path / "base")
    assert locate("owner/name") == "owner/name"


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", WEIGHTS])
def test_an_incomplete_folder(copy: Path, missing: str) -> None:
    (copy / missing).unlink()
    with pytest.raises(UserError, match="cannot load the") as caught:
        load_base(str(copy))
    assert str(copy) in one_line(caught)


@pytest.mark.parametrize("damage", [b"", b"no weights at all", None])
def test_corrupt_weights(copy: Path, damage: bytes | None) -> None:
    sound = (copy / WEIGHTS).read_bytes()
    (copy / WEIGHTS).write_bytes(sound[: len(sound) // 2] if damage is None else damage)
    with pytest.raises(UserError, match="cannot load the model") as caught:
        load_base(str(copy))
    one_line(caught)


def test_a_checkpoint_that_lacks_weights(copy: Path) -> None:
    """They would be random, and other ones at every load."""
    weights = load_file(copy / WEIGHTS)
    del weights["model.norm.weight"]
    save_file(weights, copy / WEIGHTS, {"format": "pt"})
    with pytest.raises(
        UserError, match=r"lacks 1 of the model's weights, model\.norm\.weight"
    ) as caught:
        load_base(str(copy))
    one_line(caught)


def test_a_tokenizer_bigger_than_the_model(copy: Path) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens([f"<{number}>" for number in range(20)])
    tokenizer.save_pretrained(copy)
    with pytest.raises(UserError, match="do not fit: the tokenizer's highest token id is 4"):
        load_base(str(copy))


def test_nf4_is_refused_with_its_reason(models: Models) -> None:
    with pytest.raises(UserError, match=r"quantization: found nf4, allowed none.*91 GB") as caught:
        load_base(str(models.folder("llama")), quantization="nf4")
    one_line(caught)


def test_the_fingerprint_is_stable(models: Models, copy: Path) -> None:
    """The same from another folder, at another time."""
    first = models.base("llama").fingerprint
    assert len(first) == 64
    assert int(first, 16)
    assert load_base(str(copy)).fingerprint == first


def test_the_fingerprint_knows_every_weight(copy: Path) -> None:
    base = load_base(str(copy))
    seen = {base.fingerprint}
    for weight in base.model.parameters():
        place = weight.view(-1)[-1:]
        old = place.clone()
        place.copy_(torch.nextafter(old, torch.tensor(torch.inf)))  # the smallest change there is
        seen.add(base_fingerprint(base.model, base.tokenizer))
        place.copy_(old)
    assert len(seen) == 1 + len(list(base.model.parameters()))
    assert base_fingerprint(base.model, base.tokenizer) == base.fingerprint


def test_the_fingerprint_knows_dtype_and_tokenizer(copy: Path) -> None:
    names = {
        load_base(str(copy), dtype=dtype).fingerprint
        for dtype in ("float32", "bfloat16", "float16")
    }
    base = load_base(str(copy))
    base.tokenizer.add_tokens(["<more>"])
    names.add(base_fingerprint(base.model, base.tokenizer))
    assert len(names) == 4


def test_the_trusted_policy_is_what_the_configuration_says(models: Models, tmp_path: Path) -> None:
    """It belongs to the base: bases that name different ones are different bases."""
    assert models.base("llama").trusted_policy == ""
    none, named = (
        load_base(str(copy_embedded(tmp_path / str(name), name))) for name in (None, "tutoring-1")
    )
    assert (none.trusted_policy, named.trusted_policy) == ("", "tutoring-1")
    assert none.fingerprint != named.fingerprint


def test_dtype_is_obeyed(copy: Path) -> None:
    assert load_base(str(copy), dtype="bfloat16").model.dtype == torch.bfloat16
