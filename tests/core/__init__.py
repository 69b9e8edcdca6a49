"""The tests of core, mirroring it."""
