"""What the garbage collector looks at."""

import gc


def settle() -> None:
    """Take what there is now for what stays, once all is imported and warm.

    The collector goes over everything again and again otherwise, twenty milliseconds each time, in the middle of a
    request.
    """
    gc.collect()
    gc.freeze()
