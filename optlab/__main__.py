"""`python -m optlab`."""

import sys

from optlab.command import main

sys.exit(main())
