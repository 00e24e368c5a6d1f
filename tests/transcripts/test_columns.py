"""One table of columns: the episode, the parquet schema and the features follow it."""

from __future__ import annotations

from dataclasses import fields

from kl_derail.transcripts import COLUMNS, FEATURES, Episode
from kl_derail.transcripts.arrow import arrow_schema
from kl_derail.transcripts.columns import names_of


def test_episode_has_the_columns_in_order() -> None:
    assert [each.name for each in fields(Episode)] == list(COLUMNS)


def test_features_and_arrow_schema_are_the_same() -> None:
    assert arrow_schema().equals(FEATURES.arrow_schema)


def test_exact_types_of_the_columns_that_sums_depend_on() -> None:
    for name in ("kl", "log_ratio", "kl_k3", "alpha", "kl_target", "budget_left", "budget"):
        assert COLUMNS[name].dtype == "float64"
    assert FEATURES["top_base_ids"].feature.feature.dtype == "int32"
    assert FEATURES["speakers"].feature.dtype == "string"
    assert FEATURES["turn_complete"].feature.dtype == "bool"


def test_names_by_shape() -> None:
    assert names_of("names") == ("speakers",)
    assert names_of("candidates") == tuple(name for name in COLUMNS if name.startswith("top_"))
    assert names_of("turn") == tuple(name for name in COLUMNS if name.startswith("turn_"))
    assert len(names_of("token")) == 16
