"""Gradmark over HTTP: routes, JSON, errors, settings. Knows core; core does not know it."""

from core import __version__

__all__ = ["__version__"]
