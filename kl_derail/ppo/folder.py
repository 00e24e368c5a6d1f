"""The folder of a run: what is in it, and how it is opened, resumed and cut back."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kl_derail.errors import UserError
from kl_derail.ppo import checkpoint
from kl_derail.transcripts import named_path, update_path
from kl_derail.transcripts.store import FOLDER as TRANSCRIPTS
from kl_derail.transcripts.training import METRICS, read_metrics

CONFIG = "config.yaml"
SUMMARY = "summary.json"
PICTURE = "closing.svg"
TRACKERS = "trackers"
OWN = (CONFIG, METRICS, SUMMARY, PICTURE, TRACKERS, TRANSCRIPTS, checkpoint.FOLDER)
"""Everything that a run writes; nothing else in its folder is ever touched."""


class RunFolder:
    """A run on the disk.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check_free(self, *, overwrite: bool = False) -> None:
        """See to it that a new run may be written here.

        Raises:
            UserError: the folder holds a run already, or something that is no folder is in the way.
        """
        if (self.path / CONFIG).exists() and not overwrite:
            raise UserError(
                f"output_dir: {self.path} holds a run already ({CONFIG}); go on with"
                f" --resume {self.path}, replace it with --overwrite, or choose another folder"
            )
        place = next(each for each in (self.path, *self.path.absolute().parents) if each.exists())
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise UserError(
                f"output_dir: cannot write to {self.path}: {place} is no folder that may be written to"
            )

    def create(self, *, overwrite: bool = False) -> None:
        """Make the folder for a new run; remains of a run that it held are deleted.

        Its configuration is written last, by the caller: a folder without one is no run, and may be begun anew.

        Raises:
            UserError: it holds a run by now, or cannot be written.
        """
        self.check_free(overwrite=overwrite)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for place in self._found():
                shutil.rmtree(place) if place.is_dir() else place.unlink()
            (self.path / TRANSCRIPTS).mkdir()
        except OSError as error:
            raise UserError(f"output_dir: cannot write to {self.path}: {error.strerror}") from error

    def _found(self) -> list[Path]:
        return [self.path / name for name in OWN if (self.path / name).exists()]

    def cut_back(self, update: int) -> None:
        """Drop what was written after `update` updates: it will be written again, the same."""
        for name in (SUMMARY, PICTURE):
            (self.path / name).unlink(missing_ok=True)
        named_path(self.path, "agent").unlink(missing_ok=True)
        lines = [line for line in self.read_metrics() if line["update"] <= update]
        partial = self.path / f".{METRICS}.partial"
        partial.write_text("".join(_line(entry) for entry in lines), encoding="utf-8")
        partial.replace(self.path / METRICS)
        for file in (self.path / TRANSCRIPTS).glob("update-*.parquet"):
            if file > update_path(self.path, update):
                file.unlink()

    def append_metrics(self, entry: Mapping[str, Any]) -> None:
        """Add one line to the metrics; on the disk when this returns."""
        with (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())

    def read_metrics(self) -> list[dict[str, Any]]:
        """Every whole line of the metrics, oldest first."""
        return read_metrics(self.path)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write what the run came to."""
        partial = self.path / f".{SUMMARY}.partial"
        partial.write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(self.path / SUMMARY)


def existing_run(path: Path, flag: str) -> RunFolder:
    """The run that a flag names; UserError unless it is one."""
    if not (path / CONFIG).is_file():
        raise UserError(f"{flag}: {path} is no run of kl_derail: there is no {CONFIG} in it")
    return RunFolder(path)


def _line(entry: Mapping[str, Any]) -> str:
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in entry.items()
    }
    return json.dumps(finite, ensure_ascii=False, allow_nan=False) + "\n"
