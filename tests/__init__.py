"""The tests of Gradmark."""
