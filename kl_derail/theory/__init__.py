"""The study's theorems as experiments on classes and trees small enough to enumerate."""
