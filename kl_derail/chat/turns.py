"""Who speaks: turns are found in the text, whatever the tokenizer does with it.

The rule: a line that begins with a speaker's name and a colon hands the word to that speaker, from the next token on.
One line break is enough, more are allowed. The tokens of the change belong to the turn that emits them. A header that
names the present speaker changes nothing and stays part of the text; a header in mid-line is text too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kl_derail.base.vocabulary import REPLACEMENT, TokenPieces
from kl_derail.chat.scene import Scene

NOBODY = -1
"""Speaker index of text before the first header of an opening."""


@dataclass(frozen=True)
class Turn:
    """One turn of one speaker.

    Attributes:
        speaker: index into the scene's speakers, or NOBODY.
        start: index of its first token in the episode.
        end: index after its last token, those of the speaker change included.
        text: what was said, without the header that ended it.
        complete: False for the turn that the end of the episode cut off.
    """

    speaker: int
    start: int
    end: int
    text: str
    complete: bool


@dataclass
class _Chat:
    speaker: int = NOBODY
    start: int = 0
    said: list[str] = field(default_factory=lambda: ["\n"])
    half: list[int] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)


class TurnTracker:
    """Follows the turns of B chats that grow by one token a step.

    Args:
        scene: its speakers' headers are looked for.
        pieces: the text of tokens.
        openings: for each chat, the text pieces of its opening's tokens.
    """

    def __init__(
        self, scene: Scene, pieces: TokenPieces, openings: Sequence[Sequence[str]]
    ) -> None:
        self._scene = scene
        self._table, self._split = pieces.table, pieces.split
        self._is_half = [REPLACEMENT in piece for piece in pieces.table]
        self._index = {name: number for number, name in enumerate(scene.speakers)}
        self._reach = max(map(len, scene.speakers)) + 2
        self._chats = [_Chat() for _ in openings]
        for chat, opening in zip(self._chats, openings, strict=True):
            for position, piece in enumerate(opening):
                self._append(chat, piece, position)

    @property
    def speakers(self) -> list[int]:
        """[B] who speaks next in each chat."""
        return [chat.speaker for chat in self._chats]

    def turn_starts(self) -> list[int]:
        """[B] index of the first token of each chat's present turn."""
        return [chat.start for chat in self._chats]

    def advance(self, tokens: Sequence[int], position: int) -> list[int]:
        """Append token [B] at `position` of each chat; returns the chats in which the word changed hands."""
        changed = []
        for number, (chat, token) in enumerate(zip(self._chats, tokens, strict=True)):
            if self._append(chat, self._piece(chat, token), position):
                changed.append(number)
        return changed

    def turns(self, chat: int, end: int) -> list[Turn]:
        """All turns of a chat whose episode has `end` tokens, the unfinished last one included."""
        now = self._chats[chat]
        if now.start >= end:
            return list(now.turns)
        return [
            *now.turns,
            Turn(now.speaker, now.start, end, _spoken(now, "".join(now.said)), complete=False),
        ]

    def _piece(self, chat: _Chat, token: int) -> str:
        """The text of a token; half characters are put together with those just before."""
        if not self._is_half[token]:
            chat.half.clear()
            return self._table[token]
        chat.half.append(token)
        *earlier, piece = self._split(chat.half)
        chat.said[len(chat.said) - len(earlier) :] = earlier
        return piece

    def _append(self, chat: _Chat, piece: str, position: int) -> bool:
        """Add the text of the token at `position`; whether it hands on the word."""
        chat.said.append(piece)
        if ":" not in piece:
            return False
        text = "".join(chat.said)
        new, begun = len(text) - len(piece), 0
        for match in self._scene.header.finditer(text, max(0, new - self._reach)):
            speaker = self._index[match["name"]]
            if match.end() > new and speaker != chat.speaker:
                self._close(chat, text[begun : match.start()], position + 1)
                chat.speaker, begun = speaker, match.end()
        if begun:
            chat.said, chat.half = [text[begun:]], []
        return begun > 0

    def _close(self, chat: _Chat, text: str, end: int) -> None:
        said = _spoken(chat, text.rstrip("\n"))
        if chat.speaker == NOBODY and not said:
            return  # the header that opens the chat belongs to the turn that it opens
        chat.turns.append(Turn(chat.speaker, chat.start, end, said, complete=True))
        chat.start = end


def _spoken(chat: _Chat, text: str) -> str:
    """The text of a turn, without the line start that stands before an opening."""
    return text.removeprefix("\n") if chat.speaker == NOBODY else text
