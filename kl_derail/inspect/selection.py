"""Which episodes a command shows: one transcript file of a run, its valid part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from kl_derail.errors import UserError, did_you_mean
from kl_derail.transcripts import Episode, find_files
from kl_derail.transcripts.salvage import Warn, read_valid
from kl_derail.transcripts.store import FOLDER

DEFAULT = "agent"
"""The file of a run that is shown unless another is named; without it, the newest."""


class Selection(NamedTuple):
    """The episodes of one transcript file.

    Attributes:
        file: where they stand.
        episodes: those that can be read, at least one, in the order of the file.
        others: names of the other files beside it.
    """

    file: Path
    episodes: list[Episode]
    others: list[str]

    @property
    def run(self) -> str:
        """The name of the run's folder, or of the folder that the file lies in."""
        folder = self.file.absolute().parent
        return (folder.parent if folder.name == FOLDER else folder).name

    @property
    def name(self) -> str:
        """The run and the file, for readers.

        >>> Selection(Path("runs/a/transcripts/base.parquet"), [], []).name
        'a base'
        """
        return f"{self.run} {self.file.stem}"


def select(
    source: Path, warn: Warn, *, name: str | None = None, update: int | None = None
) -> Selection:
    """The episodes of the file that was asked for.

    Args:
        source: a run folder, a folder of transcripts or one file.
        warn: is told, a line each, what is damaged and left out.
        name: the file's name in the folder, without its ending; none: see `DEFAULT`.
        update: of a folder, the file of this update; of a file, its episodes of this update.

    Raises:
        UserError: there is no such file, or nothing in it can be read.
    """
    if not source.exists():
        raise UserError(f"{source}: no such file or folder")
    files = find_files(source)
    wanted = _wanted(source, files, name, update)
    rows = None if source.is_dir() else update
    for place, file in enumerate(wanted, start=1):
        try:
            episodes = read_valid(file, warn, update=rows)
        except UserError as error:
            if place == len(wanted):
                raise
            warn(f"{error}; left out")
            continue
        if not episodes:
            raise UserError(f"update: {file} holds no episode of update {update}")
        return Selection(file, episodes, [each.stem for each in files if each != file])
    raise AssertionError("find_files finds at least one")


def select_other(
    other: str, source: Path, warn: Warn, *, name: str | None = None, update: int | None = None
) -> Selection:
    """What `source` is compared with: another file of it by name, or else a folder or a file.

    Of a folder the same `name` and `update` are taken; a name hides a path spelt alike (`./base`).
    """
    names = _by_name(find_files(source)) if source.is_dir() else {}
    path = names.get(other, Path(other))
    if other not in names and path.is_dir():
        return select(path, warn, name=name, update=update)
    if path.exists():
        return select(path, warn, update=None if other in names else update)
    if not names:
        raise UserError(f"{other}: no such run, folder or transcript file")
    raise UserError(_unknown(other, source, names))


def short_names(selections: Sequence[Selection]) -> list[str]:
    """What tells the selections apart: the files of one run, the runs of one file, or both."""
    for names in ([each.file.stem for each in selections], [each.run for each in selections]):
        if len(set(names)) == len(names):
            return names
    return [each.name for each in selections]


def pick(selection: Selection, number: int) -> Episode:
    """The episode of a number; UserError unless there is just one."""
    found = [each for each in selection.episodes if each.episode == number]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"episode: {selection.file} holds {len(found)} episodes {number}; choose an --update"
        )
    numbers = [each.episode for each in selection.episodes]
    raise UserError(
        f"episode: found {number}, {selection.file} holds {len(numbers)} episodes,"
        f" {min(numbers)} to {max(numbers)}"
    )


def _wanted(
    source: Path, files: Sequence[Path], name: str | None, update: int | None
) -> list[Path]:
    """The file that was asked for; or those to be tried, the likeliest first."""
    if not source.is_dir():
        if name is not None:
            raise UserError(f"name: {source} is one file; only a folder has names to choose from")
        return list(files)
    if name is not None:
        return [_asked("name", name, source, _by_name(files))]
    if update is not None:
        return [_asked("update", str(update), source, _by_update(files))]
    return sorted(files, key=lambda each: (each.stem == DEFAULT, _changed(each)), reverse=True)


def _by_name(files: Sequence[Path]) -> dict[str, Path]:
    return {each.stem: each for each in files}


def _by_update(files: Sequence[Path]) -> dict[str, Path]:
    """The files of updates, by their number."""
    numbers = {file: file.stem.removeprefix("update-") for file in files}
    return {str(int(n)): file for file, n in numbers.items() if n != file.stem and n.isdecimal()}


def _asked(flag: str, found: str, source: Path, files: Mapping[str, Path]) -> Path:
    if found not in files:
        raise UserError(f"{flag}: {_unknown(found, source, files)}")
    return files[found]


def _unknown(found: str, source: Path, files: Mapping[str, Path]) -> str:
    allowed = ", ".join(files) or "none: there is no such file"
    return f"{source}: found {found}, allowed {allowed}{did_you_mean(found, files)}"


def _changed(file: Path) -> tuple[int, str]:
    return file.stat().st_mtime_ns, file.stem
