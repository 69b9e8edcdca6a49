"""The command line: ``python -m app``; see `app.command_line`."""

import os
import sys

from app.blas import limit_threads

if __name__ == "__main__":
    # NumPy reads this when it is imported, which the command line does
    limit_threads(os.environ)

    from app.command_line import main

    sys.exit(main())
