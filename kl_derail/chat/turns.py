"""Who speaks: turns are found in the text, whatever the tokenizer does with it.

The rule: a line that begins with a speaker's name and a colon hands the word to that speaker, from the next token on.
One line break is enough, more are allowed. The tokens of the change belong to the turn that emits them. A header that
names the present speaker changes nothing and stays part of the text; a header in mid-line is text too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    turns: list[Turn] = field(default_factory=list)


class TurnTracker:
    """Follows the turns of B chats that grow by one token a step.

    Args:
        scene: its speakers' headers are looked for.
        pieces: [V] the text of each token.
        openings: for each chat, the text pieces of its opening's tokens.
    """

    def __init__(self, scene: Scene, pieces: Sequence[str], openings: Sequence[Sequence[str]]) -> None:
        self._scene = scene
        self._pieces = pieces
        self._ends_header = [":" in piece for piece in pieces]
        self._index = {name: number for number, name in enumerate(scene.speakers)}
        self._reach = max(map(len, scene.speakers)) + 2
        self._chats = [_Chat() for _ in openings]
        for chat, opening in zip(self._chats, openings, strict=True):
            for position, piece in enumerate(opening):
                self._append(chat, piece, ":" in piece, position)

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
            if self._append(chat, self._pieces[token], self._ends_header[token], position):
                changed.append(number)
        return changed

    def turns(self, chat: int, end: int) -> list[Turn]:
        """All turns of a chat whose episode has `end` tokens, the unfinished last one included."""
        now = self._chats[chat]
        if now.start >= end:
            return list(now.turns)
        return [*now.turns, Turn(now.speaker, now.start, end, _spoken(now, "".join(now.said)), complete=False)]

    def _append(self, chat: _Chat, piece: str, may_end_header: bool, position: int) -> bool:
        chat.said.append(piece)
        if not may_end_header:
            return False
        text = "".join(chat.said)
        new = len(text) - len(piece)
        for match in self._scene.header.finditer(text, max(0, new - self._reach)):
            speaker = self._index[match["name"]]
            if match.end() > new and speaker != chat.speaker:
                self._close(chat, text, match.start(), match.end(), speaker, position + 1)
                return True
        return False

    def _close(self, chat: _Chat, text: str, header: int, after: int, speaker: int, end: int) -> None:
        said = _spoken(chat, text[:header].rstrip("\n"))
        if chat.speaker == NOBODY and not said:
            end = chat.start  # the header that opens the chat belongs to the turn that it opens
        else:
            chat.turns.append(Turn(chat.speaker, chat.start, end, said, complete=True))
        chat.speaker, chat.start, chat.said = speaker, end, [text[after:]]


def _spoken(chat: _Chat, text: str) -> str:
    """The text of a turn, without the line start that stands before an opening."""
    return text.removeprefix("\n") if chat.speaker == NOBODY else text
