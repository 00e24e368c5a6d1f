from __future__ import annotations

from pathlib import Path

import pytest

from kl_derail.errors import UserError
from tests.config.examples import Output, Train, read, value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"bugdet: 3\n", ", line 1: there is no option bugdet (did you mean budget?)"),
        (b"chats: 3\n\nzzzzzz: 3\n", ", line 3: there is no option zzzzzz"),
        (b"config: other.yaml\n", ", line 1: there is no option config"),
        (b"student-name: Ann\n", ", line 1: there is no option student-name (did you mean stud"),
        (b"chats: 3\nbudget: 1\nchats: 4\n", ", line 3: chats is given twice"),
        (b"chats: 3\n'chats': 3\n", ", line 2: chats is given twice"),
        (b"3: 4\n", ", line 1: there is no option 3"),
        (b"? [a, b]\n: 4\n", ", line 1: found the key ['a', 'b'], expected the name of an option"),
        (b"null: 4\n", ", line 1: found the key null, expected the name of an option"),
        (b"<<: {chats: 3}\n", ", line 1: there is no option <<"),
        (b"- chats\n- 3\n", ": expected one option a line, as in `seed: 1`"),
        (b"chats\n", ": expected one option a line"),
        (b"chats: 3\nlr: [1,\n", ", line 3: not YAML: "),
        (b"chats: 3\n\tlr: 1\n", ", line 2: not YAML: "),
        (b"chats: 3\nlr: a: b\n", ", line 2: not YAML: mapping values are not allowed here"),
        (b"chats: *x\n", ", line 1: not YAML: found undefined alias 'x'"),
        (b"chats: !!python/object:os.system x\n", ", line 1: not YAML: could not determine a con"),
        (b"chats: !!timestamp x\n", ", line 1: not YAML: could not determine a constructor"),
        (b"chats: 3\n---\nchats: 4\n", ", line 2: not YAML: but found another document"),
        (b"note: \x07\n", ": not YAML: "),
        (b"note: caf\xe9\n", ": not UTF-8 (byte 9)"),
        ("chats: 3".encode("utf-16"), ": not UTF-8 (byte 0)"),
        (b"note: " + b"[" * 2000, ": not YAML: "),
    ],
)
def test_mistakes(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read("--config", str(path))
    assert str(caught.value).startswith(f"{path}{message}")


def test_unreadable_files(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    with pytest.raises(UserError) as caught:
        read("--config", str(missing))
    assert "cannot read this file: No such file or directory" in str(caught.value)
    assert str(missing)[:40] in str(caught.value)
    with pytest.raises(UserError, match="cannot read this file: Is a directory"):
        read("--config", str(tmp_path))
    with pytest.raises(UserError, match=r"--config 'a.x00b': cannot read this file"):
        read("--config", "a\0b")


@pytest.mark.parametrize("content", ["", "\n", "# nothing\n", "---\n", "null\n", "{}\n"])
def test_an_empty_file_changes_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(content)
    assert read("--config", str(path)) == (Train(), Output())


@pytest.mark.parametrize(
    "content", ["\ufeffchats: 3", "chats: 3\r\nbudget: 1\r\n", "{chats: 3}", "---\nchats: 3\n..."]
)
def test_other_ways_to_write_the_same(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(content.encode())
    assert value("chats", "--config", str(path)) == 3


def test_anchors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("student_name: &name Ann\nnote: *name\nwords: [*name]\n")
    output = read("--config", str(path))[1]
    assert (output.student_name, output.note, output.words) == ("Ann", "Ann", ["Ann"])


def test_laughs_stay_small(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    path = tmp_path / "run.yaml"
    path.write_text("note:\n" + "\n".join("  " + line for line in lines))
    with pytest.raises(UserError) as caught:
        read("--config", str(path))
    assert len(str(caught.value)) < 300
