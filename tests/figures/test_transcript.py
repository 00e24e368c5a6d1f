"""Figure 1: every nat of the ledger is in the table, every text is shown as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from kl_derail.figures.panels import Choices
from kl_derail.figures.transcript import Row, draw, table
from kl_derail.inspect.colours import kl_colour
from kl_derail.inspect.literal import literal
from kl_derail.plumbing.style import GREY, save_figure, styled
from kl_derail.transcripts import Episode, spent
from tests.figures.factories import base_episode, key, quiet, study, talking
from tests.inspect.factories import no_tokens, one_token_a_turn
from tests.transcripts.strategies import episodes

HOSTILE = [
    "$x^2$ $\\nonsense{$",
    "<script>alert(1)</script>",
    "\x1b[31m\x00\x07",
    "\u202egnihton\u2066",
    "語😀\u0301\ufeff",
    "",
    "\n\n",
    "_" * 200,
    "{{7*7}} %s \\",
]


def of(*played: Episode) -> list[Row]:
    return table(study((key(), {"a": list(played)})), Choices())


def nats(rows: list[Row]) -> float:
    tokens = {row.token: row.kl for row in rows if row.token >= 0}
    return sum(tokens.values()) + sum(row.kl for row in rows if row.part == "fold")


@settings(max_examples=50)
@given(episodes())
def test_the_table_holds_every_nat(episode: Episode) -> None:
    assert nats(of(episode)) == pytest.approx(spent(episode).expected, abs=1e-9)


def test_folds_count_what_they_leave_out() -> None:
    rows = of(quiet())
    assert nats(rows) == pytest.approx(spent(quiet()).expected, abs=1e-9)
    (fold,) = [row for row in rows if row.part == "fold"]
    assert fold.text == "… 6 more silent exchanges, 1.50 nats, reward 3.00"


def test_margin_and_reward() -> None:
    rows = of(talking(nats=2.5))
    assert [row.kl for row in rows if row.part == "spent"][:2] == [0.0, 2.5]
    assert [row.text for row in rows if row.part == "reward"] == [" +0.50"]
    assert not [row for row in of(base_episode()) if row.part in ("left", "spent")]


def test_a_chat_a_player_at_the_shortest_length() -> None:
    long = key(length=128)
    other = key(setting="realised accounting")
    rows = table(
        study(
            (key("base", 0.0), {"b": [base_episode()]}),
            (key(), {"a": [quiet(0), talking(1), talking(2)]}),
            (other, {"a": [quiet(5)]}),
            (long, {"a": [quiet(9)]}),
        ),
        Choices(),
    )
    assert {(row.key, row.episode) for row in rows} == {
        (key("base", 0.0), 0),
        (key(), 1),  # the first with the median reward
        (other, 5),
    }


def test_tokens_are_coloured_by_their_kl() -> None:
    with styled():
        figure = draw(of(talking(nats=2.5)), Choices())
    chat, legend = figure.axes
    (box,) = chat.patches
    assert box.get_facecolor()[:3] == pytest.approx([c / 255 for c in kl_colour(2.5)])
    assert "2.50 nats" in chat.texts[0].get_text()
    assert len(legend.patches) == 6  # 0.1 to 10 nats; nothing costs 0
    opening = [each for each in chat.texts if each.get_text().startswith(" Hello")]
    assert opening[0].get_color() in ("black", GREY)


@pytest.mark.filterwarnings("error")
def test_hostile_text_is_shown_literally(tmp_path: Path) -> None:
    episode = one_token_a_turn(HOSTILE)
    rows = of(episode)
    assert {literal(each) for each in HOSTILE if each and "\n" not in each} <= {
        row.text for row in rows
    }
    with styled():
        figure = draw(rows, Choices())
        shown = "".join(each.get_text() for each in figure.axes[0].texts)
        assert all(each.get_text().isprintable() for each in figure.axes[0].texts[1:])
        assert "$x^2$" in shown
        assert r"\u202egnihton\u2066" in shown
        assert r"\u8a9e\U0001f600" in shown
        save_figure(figure, tmp_path / "hostile", dpi=60)


def test_many_chats_share_two_columns() -> None:
    groups = [(key(budget=float(each)), {"a": [quiet()]}) for each in range(1, 6)]
    with styled():
        figure = draw(table(study(*groups), Choices()), Choices())
    *chats, _ = figure.axes
    boxes = [axes.get_position() for axes in chats]
    assert len({round(box.x0, 3) for box in boxes}) == 2
    for one in boxes:
        assert 0 <= one.x0 < one.x1 <= 1
        assert 0 <= one.y0 < one.y1 <= 1
        assert not any(
            other is not one
            and one.overlaps(other)
            and abs(one.x0 - other.x0) < 0.1
            and min(one.y1, other.y1) - max(one.y0, other.y0) > 1e-9
            for other in boxes
        )


def test_no_data() -> None:
    assert "no data" in draw([], Choices()).texts[0].get_text()
    assert of(no_tokens()) == []
