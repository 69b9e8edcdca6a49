"""Where the work of a request is done: on the loop, in a thread or in a process, and what waits for it."""
