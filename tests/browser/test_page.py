"""The page in a real browser: browse, filter, sort, colour, walk, compare."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from kl_derail.inspect.colours import kl_colour
from kl_derail.inspect.page.texts import shown_text
from kl_derail.transcripts import Episode, spent
from tests.browser.conftest import Watched
from tests.inspect.factories import TALK, no_tokens, silent
from tests.transcripts.factories import long_episode, make_episode

pytestmark = pytest.mark.browser
Open = Callable[..., Watched]


def agent() -> list[Episode]:
    """Four episodes that differ in whatever can be filtered and sorted by."""
    return [
        silent(9, episode=0),
        make_episode(
            TALK, turn_kl={2: 4.5}, turn_reward={3: 0.9}, episode=1, budget=5.0, update=-1
        ),
        silent(2, " Oh.", episode=2, update=3),
        make_episode(
            TALK, episode=3, update=3, policy="scripted:praise", turn_reward={1: 0.1, 3: 0.2}
        ),
    ]


def base() -> list[Episode]:
    return [make_episode(TALK, episode=number, policy="base", budget=0.0) for number in (0, 1, 9)]


def numbers(page) -> list[int]:  # type: ignore[no-untyped-def]
    """The episodes that the list shows, in order."""
    entries = page.locator(".entry")
    found = [
        (int(each.get_attribute("aria-posinset")), each.locator(".name").inner_text())
        for each in entries.all()
    ]
    return [int(name[1:]) for _, name in sorted(found)]


def shown(page) -> str:  # type: ignore[no-untyped-def]
    return page.locator(".pane h2").first.inner_text()


def await_episode(page, number: int) -> None:  # type: ignore[no-untyped-def]
    page.locator(".pane h2", has_text=f"agent, episode {number}").wait_for()


def inspected(page, column: str) -> str:  # type: ignore[no-untyped-def]
    return page.locator(f'#inspector [data-column="{column}"]').inner_text()


def test_it_opens_with_the_first_episode(open_page: Open) -> None:
    page = open_page([("agent", agent())]).page
    assert shown(page) == "agent, episode 0"
    assert numbers(page) == [0, 1, 2, 3]
    assert page.locator("#count").inner_text() == "4 of 4 episodes"
    assert page.locator('.entry[aria-selected="true"] .name').inner_text() == "#0"


def test_the_chat_stands_there_token_by_token(open_page: Open) -> None:
    episode = make_episode(TALK, opening_turns=2)
    page = open_page([("agent", [episode])]).page
    tokens = page.locator(".chat .token")
    assert tokens.all_text_contents() == [each.replace("\n", "⏎") for each in episode.token_text]
    assert page.locator(".chat .token.opening").count() == episode.opening_tokens
    headers = page.locator(".chat .token.header").all_text_contents()
    assert headers == ["Teacher:", "Student:", "Teacher:", "Student:"]


def test_turns_have_their_reward_budget_and_cost(open_page: Open) -> None:
    left = make_episode(TALK).budget_left * 8
    page = open_page(
        [("agent", [make_episode(TALK, turn_kl={2: 1.25}, turn_reward={3: 0.5}, budget_left=left)])]
    ).page
    assert page.locator(".line .reward").all_text_contents() == ["+0.50"]
    rows = page.locator(".line:not(.head)")
    assert rows.locator(".spent").all_text_contents() == ["0.00", "", "1.25", ""]
    assert rows.locator(".left").all_text_contents() == ["4.00", "", "4.00", ""]


@pytest.mark.parametrize("episode", [silent(9), long_episode(256, seed=5)], ids=["silent", "long"])
def test_the_coloured_kl_sums_to_what_was_spent(open_page: Open, episode: Episode) -> None:
    page = open_page([("agent", [episode])]).page
    title = page.locator('[data-fact="kl"]').get_attribute("title")
    assert abs(float(title) - spent(episode).expected) < 1e-9
    total = 0.0
    page.keyboard.press("ArrowRight")
    for _ in range(
        episode.opening_tokens, episode.length
    ):  # every token's own number, walked through
        total += float(page.locator('#inspector [data-column="kl"]').get_attribute("title"))
        page.keyboard.press("ArrowRight")
    assert abs(total - spent(episode).expected) < 1e-9


@pytest.mark.parametrize(
    ("key", "value", "left"),
    [
        ("policy", "scripted:praise", [3]),
        ("update", "update 3", [2, 3]),
        ("update", "evaluation", [1]),
        ("budget", "5 nats", [1]),
        ("silent", "silent", [0]),
        ("length", f"{silent(9).length} tokens", [0]),
    ],
)
def test_filters(open_page: Open, key: str, value: str, left: list[int]) -> None:
    page = open_page([("agent", agent())]).page
    page.select_option(f'[data-filter="{key}"]', label=value)
    assert numbers(page) == left
    assert page.locator("#count").inner_text() == f"{len(left)} of 4 episodes"
    await_episode(page, left[0])
    page.select_option(f'[data-filter="{key}"]', index=0)
    assert numbers(page) == [0, 1, 2, 3]


def test_filters_add_up_to_nothing_and_back(open_page: Open) -> None:
    page = open_page([("agent", agent())]).page
    page.select_option('[data-filter="silent"]', label="silent")
    page.select_option('[data-filter="update"]', label="update 3")
    assert numbers(page) == []
    assert page.locator(".pane .none").inner_text() == "No episode passes the filters."
    for key in ("j", "k", "ArrowRight", "d", "o", "2"):
        page.keyboard.press(key)
    page.select_option('[data-filter="silent"]', index=0)
    assert numbers(page) == [2, 3]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("KL spent", [1, 0, 2, 3]),
        ("reward", [0, 2, 1, 3]),
        ("empty turns", [0, 2, 1, 3]),
        ("length", [0, 2, 1, 3]),
        ("start of silence", [0, 1, 2, 3]),
        ("update", [1, 0, 2, 3]),
    ],
)
def test_sorting(open_page: Open, sort: str, order: list[int]) -> None:
    page = open_page([("agent", agent())]).page
    page.select_option("#sort", label=f"by {sort}")
    assert numbers(page) == order


def test_the_order_turns_round(open_page: Open) -> None:
    page = open_page([("agent", agent())]).page
    page.click("#direction")
    assert numbers(page) == [3, 2, 1, 0]
    page.select_option("#sort", label="by KL spent")
    page.click("#direction")
    assert numbers(page)[-1] == 1


def test_search(open_page: Open) -> None:
    page = open_page([("agent", agent())]).page
    page.keyboard.press("/")
    page.keyboard.type("GO ON. j?")
    page.locator("#count", has_text="0 of 4").wait_for()
    page.fill("#search", "GO on")
    page.locator("#count", has_text="2 of 4").wait_for()
    assert numbers(page) == [1, 3]
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    await_episode(page, 3)


def test_keys_walk_through_the_episodes(open_page: Open) -> None:
    page = open_page([("agent", agent())]).page
    for key, number in [
        ("j", 1),
        ("ArrowDown", 2),
        ("k", 1),
        ("ArrowUp", 0),
        ("k", 0),
        ("End", 3),
        ("j", 3),
        ("Home", 0),
    ]:
        page.keyboard.press(key)
        page.locator(".pane h2", has_text=f"episode {number}").wait_for()


def test_keys_walk_through_the_tokens(open_page: Open) -> None:
    episode = make_episode(TALK, opening_turns=2, turn_kl={2: 4.5})
    page = open_page([("agent", [episode])]).page
    page.keyboard.press("ArrowRight")
    current = page.locator(".chat .token.current")
    assert current.get_attribute("data-token") == str(episode.opening_tokens)
    for key, by in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)]:
        page.keyboard.press(key)
        assert current.get_attribute("data-token") == str(episode.opening_tokens + by)
    assert page.evaluate("document.activeElement.dataset.token") == str(episode.opening_tokens + 1)
    assert f"token {episode.opening_tokens + 1}," in page.locator("#live").inner_text()
    page.keyboard.press("d")
    assert inspected(page, "kl") == "4.500"
    assert page.locator('.chat .token[tabindex="0"]').count() == 1


def test_modified_keys_are_the_browser_s(open_page: Open) -> None:
    page = open_page([("agent", agent())]).page
    page.keyboard.press("Control+j")
    page.keyboard.press("Alt+2")
    assert shown(page) == "agent, episode 0"
    assert page.locator('#maps [aria-checked="true"]').inner_text() == "KL"


def rgb(text: str) -> str:
    numbers = [int(each) for each in text.removeprefix("rgb(").removesuffix(")").split(",")]
    return "#{:02x}{:02x}{:02x}".format(*numbers)


def test_maps_switch_colours_and_legend(open_page: Open) -> None:
    episode = make_episode(TALK, turn_kl={2: 10.0})
    page = open_page([("agent", [episode])]).page
    dear = page.locator(f'.chat [data-token="{int(episode.kl.argmax())}"]')
    background = "getComputedStyle(arguments[0]).backgroundColor".replace("arguments[0]", "e")
    assert rgb(dear.evaluate(f"e => {background}")) == kl_colour(10).hex
    assert page.locator(".swatch").last.inner_text() == "10"
    names = ["KL", "log-ratio", "base probability", "policy probability", "entropy"]
    seen = set()
    for key, name in zip("12345", names, strict=True):
        page.keyboard.press(key)
        assert page.locator('#maps [aria-checked="true"]').inner_text() == name
        seen.add(dear.evaluate(f"e => {background}"))
    assert len(seen) == 4  # KL and log-ratio agree where they are equal and positive
    page.click("#maps button >> nth=0")
    free = page.locator('.chat [data-token="0"]')
    assert free.evaluate(f"e => {background}") == "rgba(0, 0, 0, 0)"


def test_hovering_shows_the_numbers_and_the_candidates(open_page: Open) -> None:
    episode = make_episode(TALK, opening_turns=2, candidates=3)
    page = open_page([("agent", [episode])]).page
    token = episode.opening_tokens + 1
    page.hover(f'.chat [data-token="{token}"]')
    assert inspected(page, "base_log_prob") == f"{math.exp(-1):.3f}"
    assert page.locator("#inspector .glyph").inner_text() == shown_text(episode.token_text[token])
    names = page.locator("#inspector .candidates.base td:first-child").all_text_contents()
    assert names == [each.replace("\n", "⏎") for each in episode.token_text[:3]]
    page.hover('.chat [data-token="0"]')
    assert inspected(page, "base_log_prob") == "\N{EN DASH}"
    assert "No candidates" in page.locator("#inspector").inner_text()
    page.hover("#count")
    assert "Point at a token" in page.locator("#inspector").inner_text()


def test_a_candidate_of_unknown_text_is_an_id(open_page: Open) -> None:
    length = make_episode(TALK).length
    page = open_page(
        [("agent", [make_episode(TALK, candidates=2, token_id=np.arange(length) + 7)])]
    ).page
    page.hover('.chat [data-token="3"]')
    assert page.locator("#inspector .candidates.policy .id").all_text_contents() == ["id 0", "id 1"]


def test_side_by_side(open_page: Open) -> None:
    page = open_page([("agent", agent()), ("base", base())]).page
    titles = page.locator(".pane h2")
    assert titles.all_text_contents() == ["agent, episode 0", "base, episode 0"]
    page.keyboard.press("j")
    page.locator(".pane h2", has_text="base, episode 1").wait_for()
    page.keyboard.press("j")
    page.get_by_text("base: no episode 2.").wait_for()
    page.keyboard.press("o")  # nothing to go to: no error
    page.keyboard.press("Home")
    page.locator(".pane h2", has_text="base, episode 0").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("o")
    assert page.evaluate("document.activeElement.closest('.pane').ariaLabel") == "base, episode 0"


def test_one_set_after_the_other(open_page: Open) -> None:
    page = open_page([("agent", agent()), ("base", base())]).page
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.locator("#count", has_text="4 of 4").wait_for()
    assert page.locator(".pane h2").all_text_contents() == ["agent, episode 1"]
    page.keyboard.press("c")
    page.locator("#count", has_text="3 of 3").wait_for()
    assert page.locator(".pane h2").all_text_contents() == ["base, episode 1"]
    assert numbers(page) == [0, 1, 9]
    page.click("#views button >> nth=0")
    page.locator("#count", has_text="4 of 4").wait_for()


def test_an_episode_stands_beside_the_most_alike(open_page: Open) -> None:
    others = [
        silent(count, episode=0, budget=budget)
        for count, budget in [(2, 5.0), (9, 20.0), (9, 10.0)]
    ]
    page = open_page([("a", [silent(9, episode=0)]), ("b", others)]).page
    assert "of 10 nats" in page.locator('[data-fact="kl"]').nth(1).inner_text()


def test_the_budget_curve(open_page: Open) -> None:
    left = silent(9).budget_left * 20
    page = open_page(
        [("agent", [silent(9, budget_left=left), silent(2, budget=math.inf, episode=1)])]
    ).page
    label = page.locator(".budget svg").get_attribute("aria-label")
    assert label.startswith("budget left, nats: 10.00 at first")
    box = page.locator(".budget").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + 20)
    assert (
        int(page.locator(".chat .token.current").get_attribute("data-token"))
        >= silent(9).length - 2
    )
    page.keyboard.press("j")
    page.locator('.budget svg[aria-label^="KL spent"]').wait_for()
    assert "∞" in page.locator('[data-fact="kl"]').inner_text()


def test_empty_sets_and_empty_episodes(open_page: Open) -> None:
    page = open_page([("nothing", []), ("empty", [no_tokens()])]).page
    page.get_by_text("nothing: no episodes.").wait_for()
    for key in ("j", "ArrowRight", "d", "5", "o", "c", "c"):
        page.keyboard.press(key)
    page.get_by_text("This episode has no tokens.").wait_for()
    for key in ("ArrowLeft", "d", "1"):
        page.keyboard.press(key)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(open_page: Open, scheme: str) -> None:
    page = open_page([("agent", agent())], color_scheme=scheme).page
    dark = "getComputedStyle(document.body).backgroundColor === 'rgb(21, 23, 26)'"
    assert page.evaluate(dark) == (scheme == "dark")
    page.keyboard.press("t")
    assert not page.evaluate(dark)
    page.click("#theme")
    assert page.evaluate(dark)
    page.emulate_media(color_scheme="light")
    page.click("#theme")
    assert not page.evaluate(dark)
    page.emulate_media(color_scheme="dark")
    page.locator('html[data-theme="dark"]').wait_for()


def test_help(open_page: Open) -> None:
    page = open_page([("agent", agent())]).page
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    assert shown(page) == "agent, episode 0"


def test_roles_and_focus(open_page: Open) -> None:
    page = open_page([("agent", agent())]).page
    assert page.locator("#list").get_by_role("option").count() == 4
    assert page.get_by_role("radio", checked=True).inner_text() == "KL"
    active = page.locator("#list").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    page.focus("#list")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className").startswith("token")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_list_holds_only_what_is_in_sight(open_page: Open) -> None:
    many = [make_episode(TALK, episode=number) for number in range(300)]
    page = open_page([("agent", many)]).page
    assert page.locator(".entry").count() < 40
    page.keyboard.press("End")
    page.locator(".pane h2", has_text="episode 299").wait_for()
    assert page.locator('.entry[aria-selected="true"]').is_visible()
    assert page.locator(".entry").count() < 40
    page.evaluate("document.getElementById('list').scrollTop = 0")
    page.locator(".entry .name", has_text="#0").first.wait_for()
