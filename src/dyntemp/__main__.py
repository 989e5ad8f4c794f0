"""`python -m dyntemp` is the command `dyntemp`."""

import sys

from dyntemp.cli import main

sys.exit(main())
