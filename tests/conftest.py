"""What holds for every test: no network, and no clock in property tests."""

import os

from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"

settings.register_profile("kl_derail", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("kl_derail")
