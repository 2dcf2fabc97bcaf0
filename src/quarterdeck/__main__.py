"""``python -m quarterdeck`` is the same as ``quarterdeck``."""

from quarterdeck.cli import entry

if __name__ == "__main__":
    entry()
