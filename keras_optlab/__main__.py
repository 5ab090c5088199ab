"""`python -m keras_optlab` is the `optlab` command."""

import sys

from keras_optlab.lab.command import main

if __name__ == "__main__":
    sys.exit(main())
