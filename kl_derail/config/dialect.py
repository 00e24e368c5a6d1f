"""The YAML that configuration files are written in: text first, types by the field.

Plain scalars stay text until the field's type is known. So `1e-3` is a number where a number is
declared (YAML 1.1 reads text), `no` is text where text is declared (YAML 1.1 reads false), and a
file and a flag agree. Null is `null`, `~` or nothing, and `none` where the field may be None.
"""

from __future__ import annotations

import re

import yaml

NULL_TAG = "tag:yaml.org,2002:null"
TEXT_TAG = "tag:yaml.org,2002:str"
READ_TAGS = (NULL_TAG, TEXT_TAG, "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")
NONE_TAG = "!none"
NONE_PATTERN = re.compile("^(none|None|NONE)$")
NULL_WORDS = frozenset({"none", "null"})


class NullWord(str):
    """The word `none` without quotes: None where a field may be None, else text.

    >>> NullWord("none") == "none"
    True
    """

    __slots__ = ()


class TextLoader(yaml.SafeLoader):
    """Reads text, null, lists and mappings, and nothing else."""

    yaml_constructors = {  # noqa: RUF012
        tag: yaml.SafeLoader.yaml_constructors[tag] for tag in (*READ_TAGS, None)
    }

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [pair for pair in pairs if pair[0] == NULL_TAG]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class TextDumper(yaml.SafeDumper):
    """Writes what `TextLoader` reads back exactly, whatever the text."""


def _text_node(dumper: TextDumper, text: str) -> yaml.ScalarNode:
    """Double quotes for what is not printable: other styles turn the line break U+0085 to a space."""
    return dumper.represent_scalar(TEXT_TAG, text, style=None if text.isprintable() else '"')


def _null_word(loader: TextLoader, node: yaml.ScalarNode) -> NullWord:
    return NullWord(loader.construct_scalar(node))


TextDumper.add_representer(str, _text_node)
TextLoader.add_constructor(NONE_TAG, _null_word)
for _dialect in (TextLoader, TextDumper):
    _dialect.add_implicit_resolver(NONE_TAG, NONE_PATTERN, ["n", "N"])
