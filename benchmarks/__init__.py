"""Side-by-side measurements; not tests."""
