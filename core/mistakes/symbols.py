"""The symbols in which mistakes say what they produce."""

from collections.abc import Mapping
from types import MappingProxyType

SYMBOLS: Mapping[str, str] = MappingProxyType(
    {
        "t": "the right answer to the quantity that is asked for",
        "X": "the inputs of a layer, one row for each sample",
        "W, b": "its weights and its bias",
        "Z": "its pre-activations, X·W + b",
        "A": "its activations, f(Z)",
        "f, f′": "its activation, and the derivative of that",
        "S": "the outputs of the network; with a softmax, the probabilities",
        "s": "the outputs of one sample, as a column",
        "Y": "the targets, one row for each sample; a class index is a row with a single 1",
        "Y′": "Y with its columns moved by one place",
        "L": "the loss",
        "losses": "the loss of each sample",
        "dL/dZ, dS/dZ, …": "derivatives; those that stand on the right of = are right themselves",
        "n": "the number of samples",
        "N": "what the loss divides by: n for a mean, n·K for a mean over entries, 1 for a sum",
        "D": "the number of inputs of the layer",
        "K": "the number of outputs of the network",
        "B": "the base of the logarithm in the loss",
        "c": "2 · factor · strength of L2, with per_sample over n: its derivative by a parameter is c times that",
        "c′": "c with the other factor",
        "Z₋": "the pre-activations of the layer below",
        "X₀": "the inputs of the network",
        "η": "a learning rate",
        "k": "a number of the student's own",
        "m": "a whole number above 2",
        "·": "the product of matrices, or with a number",
        "∘": "the product entry by entry, as are / and functions of a number",
        "ᵀ": "transposed; of a Jacobian, the matrix of each sample",
        "diag(s)": "the matrix with s on its diagonal",
        "sum(M), mean(M)": "over all entries of M",
        "sum_samples(M), mean_samples(M), max_samples(M)": "over the samples",
        "sum_outputs(M)": "over the outputs of each sample; of a Jacobian, over its rows",
        "max(M, k)": "the larger of each entry and a number",
        "first(M), last(M)": "the row of the first sample, or of the last one",
        "ones(M)": "1 in place of every entry of M",
        "outer(X, M)": "for each sample its row of X, as a column, times its row of M",
        "onehot(M), argmax(M)": "the place of each row's largest entry, as a row with a single 1 or as a number",
        "vec(M), by_rows(v)": "the columns of M one after the other; v in the shape of W, row by row",
        "rows_first(M), columns_first(M)": "the columns of a Jacobian by W in the order of W's rows, or of its columns",
    }
)
"""Each symbol, or several that belong together, and what it stands for."""
