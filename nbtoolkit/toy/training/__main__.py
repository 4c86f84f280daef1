"""The command ``python -m nbtoolkit.toy.training``."""

from .train import main

if __name__ == "__main__":  # processes that render images import this module too
    main()
