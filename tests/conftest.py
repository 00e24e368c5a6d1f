"""What holds for every test: no network, one torch thread, no clock in property tests; tiny models made once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.models import Models

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: workers share the cores

settings.register_profile("kl_derail", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("kl_derail")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Tiny bases of several architectures and the embedded one, see `tests/models.py`."""
    import torch
    import transformers

    from tests.models import Models

    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    return Models(tmp_path_factory.mktemp("models"))
