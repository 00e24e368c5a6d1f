"""One mechanism for the options of every command: dataclasses, YAML files and flags.

A command declares its options as fields of dataclasses, with `option`, and asks `parse` for
instances. A value comes from, weakest first: the dataclass default, the preset, the YAML file, the
flag.

`transformers.HfArgumentParser` gave the conventions (`metadata={"help": ...}`, `--both_spellings`
and `--both-spellings`, `--no_flag`), but not the code: it hands all field metadata to argparse, so
that limits cannot be declared there, it cannot tell a flag from a default, and it takes a second
to import.
"""

from kl_derail.config.command import run_command
from kl_derail.config.options import option, required
from kl_derail.config.parsing import parse
from kl_derail.config.resolved import as_mapping, save_resolved
from kl_derail.config.values import validate

__all__ = ["as_mapping", "option", "parse", "required", "run_command", "save_resolved", "validate"]
