"""The command line: ``python -m app``; see `app.command_line`."""

import os
import sys

from app.blas import limit_threads

limit_threads(os.environ)

from app.command_line import main  # noqa: E402 - NumPy, which it imports, reads at once how many threads to take

sys.exit(main())
