"""The page as a file: whole, exact, closed to the world and to what its texts try."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kl_derail.errors import UserError
from kl_derail.inspect.html import SCRIPTS, page, page_data, write_page
from kl_derail.inspect.page.texts import shown_text
from kl_derail.transcripts import Episode, spent
from tests.inspect.factories import TALK, no_tokens, one_token_a_turn, silent
from tests.inspect.page.hostile import HOSTILE, SURROGATES
from tests.inspect.page.reading import parse, record_of, said_by, unpack
from tests.transcripts.factories import long_episode, make_episode
from tests.transcripts.strategies import episodes

SOURCES = files("kl_derail.inspect.page")
PLAIN = parse(page([("a", [])]))


def two_sets() -> list[tuple[str, list[Episode]]]:
    return [
        ("agent", [silent(9), silent(3, episode=1)]),
        ("base", [make_episode(TALK, budget=0.0)]),
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(episodes(), max_size=2))
def test_the_sum_of_the_coloured_kl_is_what_was_spent(found: list[Episode]) -> None:
    data = json.loads(json.dumps(page_data([("set", found)])))
    plain = data["sets"][0]
    for index, episode in enumerate(found):
        columns = record_of(plain, index)
        assert math.fsum(columns["kl"]) == pytest.approx(spent(episode).expected, abs=1e-9)
        assert columns["kl"].tobytes() == episode.kl.tobytes()
    np.testing.assert_array_equal(
        unpack(plain["overview"])["kl"], [spent(e).expected for e in found]
    )


def test_a_long_episode_s_kl_through_the_file(tmp_path: Path) -> None:
    episode = long_episode(512, seed=3)
    assert spent(episode).expected > 1
    path = write_page(tmp_path / "a.html", [("set", [episode])])
    plain = parse(path.read_text(encoding="ascii")).data["sets"][0]
    assert abs(math.fsum(record_of(plain, 0)["kl"]) - spent(episode).expected) < 1e-9


def test_the_texts_join_to_the_chats() -> None:
    data = page_data(two_sets())
    for (_, found), plain in zip(two_sets(), data["sets"], strict=True):
        wanted = [each.text.replace("\n", "⏎") for each in found]
        assert ["".join(pieces) for pieces in said_by(data, plain)] == wanted


def test_one_file_that_refers_to_nothing() -> None:
    text = page(two_sets())
    document = parse(text)
    assert {tag for tag, _ in document.elements} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "div", "button", "aside",
        "form", "input", "select", "p", "main", "dialog", "noscript", "script",
    }  # fmt: skip
    for _, attributes in document.elements:
        assert not {"src", "href", "srcset", "data", "action", "style"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    own = "".join(document.texts["style"]) + document.texts["script"][1]
    assert "http" not in own.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(
        r"url\(|@import|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", own
    )
    assert document.comments == []


def test_the_policy_names_the_sources_that_stand_there() -> None:
    document = parse(page(two_sets()))
    meta = next(m for m in document.attributes("meta") if "http-equiv" in m)
    assert meta["http-equiv"] == "Content-Security-Policy"
    for source in (document.texts["script"][1], document.texts["style"][0]):
        assert b64encode(sha256(source.encode()).digest()).decode() in (meta["content"] or "")


def test_every_script_is_in_the_page_and_every_source_is_ascii() -> None:
    names = {each.name for each in SOURCES.iterdir() if each.name.endswith(".js")}
    assert names == {f"{name}.js" for name in SCRIPTS}
    for name in (*names, "style.css", "template.html"):
        assert (SOURCES / name).read_bytes().isascii(), name


@pytest.mark.parametrize("text", [*HOSTILE, *SURROGATES])
def test_names_change_no_element(text: str) -> None:
    tried = parse(page([(text, [])], title=text))
    assert tried.elements == PLAIN.elements
    assert tried.comments == []
    assert tried.data["sets"][0]["name"] == shown_text(text)
    assert tried.texts.get("title", [""])[0].strip() == shown_text(text).strip()


def test_hostile_chats_change_no_element() -> None:
    pieces = [each for each in HOSTILE if each]
    episode = one_token_a_turn(pieces)
    names = {
        "run_id": HOSTILE[1],
        "base_fingerprint": HOSTILE[4],
        "policy": f"scripted:{HOSTILE[9]}",
    }
    tried = page([("a", [Episode.from_columns(episode.columns() | names)])])
    assert tried.isascii()
    assert parse(tried).elements == PLAIN.elements
    document = parse(tried)
    assert "".join(said_by(document.data, document.data["sets"][0])[0]) == "".join(
        map(shown_text, pieces)
    )


@pytest.mark.parametrize("budget", [0.0, math.inf, 1e-300, 20.0])
def test_any_budget(budget: float) -> None:
    plain = page_data([("a", [silent(2, budget=budget)])])["sets"][0]
    assert unpack(plain["overview"])["budget"].tolist() == [budget]


def test_empty_sets_and_empty_episodes() -> None:
    data = parse(page([("nothing", []), ("no tokens", [no_tokens()])])).data
    assert [len(each["records"]["packed"]) for each in data["sets"]] == [0, 1]
    assert len(record_of(data["sets"][1], 0)["kl"]) == 0


@pytest.mark.parametrize("count", [0, 3])
def test_one_or_two_sets(count: int) -> None:
    with pytest.raises(ValueError, match=f"one or two sets of episodes, found {count}"):
        page([("a", [])] * count)


def test_the_same_bytes_again(tmp_path: Path) -> None:
    a, b = (write_page(tmp_path / "deep" / name, two_sets()) for name in ("a.html", "b.html"))
    assert a.read_bytes() == b.read_bytes()
    assert {each.name for each in a.parent.iterdir()} == {"a.html", "b.html"}


def test_a_failed_page_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_page(tmp_path / "a.html", two_sets())
    before = path.read_bytes()

    def fail(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UserError, match="disk full"):
        write_page(path, [("b", [])])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.html"]
