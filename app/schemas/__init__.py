"""The wire classes: core dataclasses with JSON annotations.

A body's class inherits from the core's, so a validated body is a core object. A reply's class describes
what the core returns; replies are written from the core's own objects.
"""
