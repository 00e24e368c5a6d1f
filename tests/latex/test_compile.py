"""LaTeX documents compiled by the system's LuaLaTeX, and read back from the PDF."""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from kl_derail.inspect.latex import latex_document, write_latex
from kl_derail.inspect.literal import literal
from kl_derail.transcripts import Episode
from tests.inspect.factories import no_tokens, one_token_a_turn, silent
from tests.inspect.sets import HOSTILE, agents, bases
from tests.transcripts.factories import long_episode

MISSING = [each for each in ("lualatex", "pdftotext") if shutil.which(each) is None]
pytestmark = [
    pytest.mark.latex,
    pytest.mark.skipif(bool(MISSING), reason=f"needs the system's {' and '.join(MISSING)}"),
]

SCRIPTS = [
    "日本語",
    "中文" * 50,
    "한국어",
    "שלום עולם",
    "مرحبا",
    "😀🎉",
    "नमस्ते",
    "e\u0301",
    "𐍈",
    "ﬁ",
    "\u00a0nbsp",
]


def compiled(source: Path) -> str:
    """The text of the PDF, each page as it is laid out; AssertionError unless it compiles cleanly."""
    command = ["lualatex", "-interaction=nonstopmode", "-halt-on-error", "--no-shell-escape"]
    done = subprocess.run(
        [*command, source.name], cwd=source.parent, capture_output=True, text=True, errors="replace"
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in source.with_suffix(".log").read_text(errors="replace")
    pdf = ["pdftotext", "-raw", str(source.with_suffix(".pdf")), "-"]
    return subprocess.run(pdf, capture_output=True, text=True, check=True).stdout


def bare(text: str) -> str:
    """Without what a PDF need not keep: spaces, forms of compatibility, marks of direction."""
    return re.sub(r"[\s\u202a-\u202e]", "", unicodedata.normalize("NFKC", text))


def test_every_hostile_string_is_only_text(tmp_path: Path) -> None:
    texts = [f"({number}){text}" for number, text in enumerate(HOSTILE)]
    found = bare(
        compiled(write_latex(tmp_path / "a.tex", [("\\evil{%", [one_token_a_turn(texts)])]))
    )
    for text in texts:
        assert bare(literal(text)) in found
    assert "root:" not in found
    assert bare(r"\evil{%") in found


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What stands in the PDF for each of `SCRIPTS`, compiled as one document."""
    sets = [(f"(begin{number})", [one_token_a_turn([text])]) for number, text in enumerate(SCRIPTS)]
    found = bare(compiled(write_latex(tmp_path_factory.mktemp("scripts") / "a.tex", sets)))
    parts = re.split(r"\(begin\d+\)", found)[1:]
    return dict(zip(SCRIPTS, (part.partition("0.501.00")[2] for part in parts), strict=True))


@pytest.mark.parametrize("text", SCRIPTS)
def test_characters_or_their_numbers_survive(text: str, printed: dict[str, str]) -> None:
    """Each character is there as itself, or as its number where no font of the system has it."""
    for character in bare(text):
        assert character in printed[text] or escape(character) in printed[text]
    if all(unicodedata.bidirectional(each) == "L" for each in text) and "\\" not in printed[text]:
        assert bare(text) in printed[text]


def escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def test_facts_margins_and_rewards_are_there(tmp_path: Path) -> None:
    sets = [("run agent", agents()), ("run base", bases())]
    found = compiled(write_latex(tmp_path / "a.tex", sets))
    assert "KL of a token in nats 0 0.1 0.5 1 2 5 10" in found
    assert "agent, episode 2: budget 10 nats, KL 4.75" in found
    assert len(re.findall(r"^0\.50 0\.25 Teacher:", found, re.MULTILINE)) == 29
    assert found.count("+0.50") >= 29
    assert "run base" in found


def test_long_and_empty_chats(tmp_path: Path) -> None:
    episodes: list[Episode] = [long_episode(512), no_tokens(), silent(60)]
    source = write_latex(tmp_path / "a.tex", [("set", episodes)])
    found = bare(compiled(source))
    assert bare("".join(long_episode(512).turn_text[5])) in found
    log = source.with_suffix(".log").read_text(errors="replace")
    assert "Overfull" not in log


def test_words_do_not_run_into_the_margin(tmp_path: Path) -> None:
    texts = ["x" * 300, "中" * 300, "a b " * 99, "-" * 200]
    source = tmp_path / "a.tex"
    source.write_text(latex_document([("set", [one_token_a_turn(texts)])]), encoding="utf-8")
    compiled(source)
    assert "Overfull" not in source.with_suffix(".log").read_text(errors="replace")
