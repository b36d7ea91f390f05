"""``python -m cnnfast``: the same as the command ``cnnfast``."""

import sys

from cnnfast.cli import main

if __name__ == "__main__":
    sys.exit(main())
