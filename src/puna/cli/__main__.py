"""`python -m puna.cli`: the same program as `puna`, whatever is on the PATH."""

import sys

from puna.cli import main

sys.exit(main())
