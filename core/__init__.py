"""The mathematics of Gradmark: forward passes, Jacobians and gradients in NumPy alone.

Read in this order: `problem` says what is differentiated, `activations` and `losses` hold the kinds,
`steps` holds the one table everything else is a reading of.
"""

__version__ = "0.1.0"
