"""``python -m lossworks`` is the command ``lossworks``."""

from .cli import main

if __name__ == "__main__":
    main()
