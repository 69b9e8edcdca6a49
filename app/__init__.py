"""Gradmark over HTTP: routes, JSON, errors, settings. Knows core; core does not know it."""

__version__ = "0.1.0"
