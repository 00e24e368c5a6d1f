"""Train on the built-in world or a hub model: `accelerate launch train.py --budget 20`."""

import sys

from kl_derail.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["train", *sys.argv[1:]]))
