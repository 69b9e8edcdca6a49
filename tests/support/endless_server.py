"""The server with something in it that does not end.

``python -m tests.support.endless_server serve``
"""

import sys
import time

from app.command_line import main
from app.work.dispatch import Dispatcher


def never_end(self: Dispatcher) -> None:
    """Take longer than anybody waits."""
    time.sleep(60)


Dispatcher.stop = never_end  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
