"""``python -m observabilipy``: the command, where it is not on the path."""

import sys

from observabilipy.cli import main

sys.exit(main())
