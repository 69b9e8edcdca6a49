"""One file a resource; a handler is one core call."""
