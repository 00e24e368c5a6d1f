"""Text that tries to run, break out or deceive is shown letter by letter, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kl_derail.inspect.page.texts import shown_text
from kl_derail.transcripts import Episode
from tests.browser.conftest import Watched
from tests.inspect.factories import one_token_a_turn
from tests.inspect.page.hostile import HOSTILE, SURROGATES
from tests.transcripts.factories import make_episode

pytestmark = pytest.mark.browser
Open = Callable[..., Watched]
BATCHES = 8

TOKENS = """() => {
  const found = {};
  for (const each of document.querySelectorAll(".chat .token"))
    found[each.dataset.token] = (found[each.dataset.token] ?? "") + each.textContent;
  return Object.values(found);
}"""


def expected(texts: list[str]) -> list[str]:
    return [shown_text(each) or "◌" for each in texts]


def with_candidates(pieces: list[str]) -> Episode:
    """Every piece a token of its own, and a candidate of every token's neighbour."""
    count = len(pieces)
    rows = [[(token + 1) % count] for token in range(count)]
    logs = [[-1.0]] * count
    columns = one_token_a_turn(pieces).columns() | {
        "top_base_ids": rows, "top_base_log_probs": logs,
        "top_policy_ids": rows, "top_policy_log_probs": logs,
    }  # fmt: skip
    return Episode.from_columns(columns)


def test_there_are_enough() -> None:
    assert len(set(HOSTILE)) >= 100


def test_tokens_are_shown_literally(open_page: Open) -> None:
    page = open_page([("a", [one_token_a_turn(HOSTILE)])]).page
    assert page.evaluate(TOKENS) == expected(HOSTILE)


def test_texts_in_tokens_of_a_letter_each(open_page: Open) -> None:
    """What is harmless in parts and hostile as a whole."""
    letters = list("</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>")
    page = open_page([("a", [one_token_a_turn(letters)])]).page
    assert "".join(page.evaluate(TOKENS)) == "".join(letters)


def test_inspector_and_candidates(open_page: Open) -> None:
    page = open_page([("a", [with_candidates(HOSTILE)])]).page
    wanted = expected(HOSTILE)
    page.keyboard.press("ArrowRight")
    for token in range(len(HOSTILE)):
        assert page.locator("#inspector .glyph").evaluate("e => e.textContent") == wanted[token]
        found = page.locator("#inspector .candidates td:first-child").all_text_contents()
        assert [each or "◌" for each in found] == [wanted[(token + 1) % len(wanted)]] * 2
        page.keyboard.press("ArrowRight")


def test_turns_and_headers(open_page: Open) -> None:
    turns = [(("Teacher", "Student")[n % 2], text) for n, text in enumerate(HOSTILE)]
    episode = make_episode(turns, opening_turns=2)
    page = open_page([("a", [episode])]).page
    assert page.evaluate(TOKENS) == expected(list(episode.token_text))


def named(text: str, number: int) -> Episode:
    """An episode with the text in every name that it has."""
    plain = make_episode([("Teacher", " Hello."), ("Student", " Hi.")], episode=number)
    names = {
        "policy": f"scripted:{text or 'x'}",
        "agent": f"T{text}",
        "speakers": (f"T{text}", f"S{text}"),
        "run_id": text,
        "base_fingerprint": text,
        "trusted_policy": text,
    }
    return Episode.from_columns(plain.columns() | names)


@pytest.mark.parametrize("start", range(BATCHES))
def test_names_of_everything(open_page: Open, start: int) -> None:
    episodes = [named(text, number) for number, text in enumerate(HOSTILE[start::BATCHES])]
    page = open_page([(HOSTILE[start], episodes)]).page
    page.keyboard.press("ArrowRight")
    for number, episode in enumerate(episodes):
        page.locator(".pane h2", has_text=f"episode {number}").wait_for()
        about = page.locator(".facts .about").evaluate("e => e.textContent")
        assert about.startswith(shown_text(episode.policy))
        page.keyboard.press("ArrowRight")
        speaker = page.locator("#inspector .place bdi").evaluate("e => e.textContent")
        assert speaker == shown_text(episode.agent)
        page.keyboard.press("j")
    options = page.locator('[data-filter="policy"] option').all_text_contents()
    assert sorted(options[1:]) == sorted({shown_text(each.policy) for each in episodes})


@pytest.mark.parametrize("text", SURROGATES)
def test_broken_surrogates_in_names_and_titles(open_page: Open, text: str) -> None:
    page = open_page([(text, []), (text, [])], title=text).page
    assert page.locator("h1").evaluate("e => e.textContent") == shown_text(text)
    assert page.locator("#views button").all_text_contents()[1:] == [shown_text(text)] * 2


def test_searching_for_them(open_page: Open) -> None:
    page = open_page([("a", [one_token_a_turn([each]) for each in HOSTILE if each])]).page
    for text in ("<script>", "{{7*7}}", "onerror=", "\\u202e", "&lt;"):
        page.fill("#search", text)
        wanted = sum(text in shown_text(each).lower() for each in HOSTILE)
        page.locator("#count", has_text=f"{wanted} of").wait_for()


def test_the_policy_stops_what_our_code_would_never_do(open_page: Open) -> None:
    """Were a text ever to become a program, the browser itself would refuse it."""
    watched = open_page([("a", [])])
    refused = watched.page.evaluate("""async () => {
      await new Promise((go) => setTimeout(go));  // what runs at once may pass as the debugger's own
      const names = {
        html: () => { document.body.innerHTML = "<b>x</b>"; },
        write: () => document.write("<b>x</b>"),
        evaluated: () => eval("window.pwned = 1"),
        made: () => new Function("window.pwned = 1")(),
      };
      return Object.entries(names).filter(([, act]) => { try { act(); return false; } catch { return true; } })
        .map(([name]) => name);
    }""")
    assert refused == ["html", "write", "evaluated", "made"]
    failures: list[str | None] = []
    watched.page.on("requestfailed", lambda request: failures.append(request.failure))
    watched.page.evaluate("""async () => {
      const image = document.createElement("img");
      image.src = "https://example.invalid/x.png";
      const link = document.createElement("a");
      link.setAttribute("style", "color: red");
      document.body.append(image, link);
      await fetch("https://example.invalid/").catch(() => {});
    }""")
    assert any("example.invalid/x.png" in each for each in watched.wrongs)
    assert any("style" in each for each in watched.wrongs)
    assert set(failures) == {"csp"}  # stopped before it left
    watched.wrongs.clear()  # what this test itself provoked
