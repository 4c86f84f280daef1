"""``python -m nbtoolkit.cli``."""

import sys

from . import main

sys.exit(main())
