from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Two threads that wait for each other make small tensors a hundred times slower on a busy machine."""
    torch.set_num_threads(1)
