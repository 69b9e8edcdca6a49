"""The command line: ``python -m app``; see `app.command_line`."""

import os
import signal
import sys

from app.cores import limit_threads

if sys.argv[1:2] == ["serve"]:
    # nothing is served until the server takes signals itself, and in a container they would be lost until then
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

limit_threads(os.environ)

from app.command_line import main  # noqa: E402 - NumPy, which it imports, reads at once how many threads to take

sys.exit(main())
