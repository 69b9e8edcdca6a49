"""The examples of the API's documentation: real requests, each of which the tests post.

The first is that of the source article: D = 3 inputs, K = 5 classes, one sample of the third class.
"""

import json
from typing import Any

from core.exercises import LATEST_VERSION

Example = dict[str, Any]

ARTICLE_WEIGHTS = [[0.1, 0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0.8, 0.9, 0.1], [0.11, 0.12, 0.13, 0.14, 0.15]]
ARTICLE_INPUTS = [0.1, 0.5, 0.4]
ARTICLE_TARGET = 2

ARTICLE: Example = {"weights": ARTICLE_WEIGHTS, "inputs": ARTICLE_INPUTS, "target": ARTICLE_TARGET}

ARTICLE_PROBLEM: Example = {
    "network": {"layers": [{"weights": ARTICLE_WEIGHTS, "activation": "softmax"}]},
    "inputs": [ARTICLE_INPUTS],
    "targets": [ARTICLE_TARGET],
    "loss": "cross_entropy",
}

TWO_LAYERS: Example = {
    "layers": [
        {"weights": [[0.5, -0.2, 0.1], [0.3, 0.8, -0.6]], "bias": [0.1, 0.0, -0.1], "activation": "tanh"},
        {"weights": [[1.0, -1.0], [0.5, 0.25], [-0.75, 0.5]], "bias": [0.0, 0.2], "activation": "softmax"},
    ]
}

TWO_LAYER_PROBLEM: Example = {
    "network": TWO_LAYERS,
    "inputs": [[1.0, 2.0], [0.5, -1.0], [-1.5, 0.25]],
    "targets": [0, 1, 1],
    "loss": "cross_entropy",
    "conventions": {"reduction": "mean", "l2": {"strength": 0.01, "factor": 0.5}},
}

REGRESSION_PROBLEM: Example = {
    "network": {"layers": [{"weights": [[0.5], [-0.25]], "bias": [0.1], "activation": "identity"}]},
    "inputs": [[1.0, 2.0], [3.0, -1.0]],
    "targets": [[0.5], [1.5]],
    "loss": "half_squared_error",
}


def _shown(**examples: tuple[str, Example]) -> dict[str, Any]:
    return {name: {"summary": summary, "value": value} for name, (summary, value) in examples.items()}


SOFTMAX_LAYER = _shown(
    article=("The source article's layer, all ten quantities", ARTICLE),
    distribution=(
        "A target distribution, a bias, and only the gradients",
        ARTICLE
        | {"bias": [0.0, 0.1, 0.0, -0.1, 0.2], "target": [0.1, 0.2, 0.4, 0.2, 0.1], "quantities": ["dL_dW", "dL_db"]},
    ),
)
FORWARD = _shown(
    two_layers=("Two layers and the loss of three samples", TWO_LAYER_PROBLEM),
    without_targets=("Activations only", {"network": TWO_LAYERS, "inputs": [[1.0, 2.0]]}),
)
GRADIENTS = _shown(
    two_layers=("Two layers, checked by complex step", TWO_LAYER_PROBLEM | {"check": True}),
    regression=("A linear layer with half the squared error", REGRESSION_PROBLEM),
    quantities=("The errors δ of both layers alone", TWO_LAYER_PROBLEM | {"quantities": ["dL_dZ2", "dL_dZ1"]}),
)
JACOBIANS = _shown(
    article=(
        "The article's chain, and the gradient by its weights",
        ARTICLE_PROBLEM | {"jacobians": ["dS_dZ", "dZ_dW", "dS_dW", "dL_dW"]},
    ),
    two_layers=(
        "From the outputs to the first layer's weights and the inputs",
        {"network": TWO_LAYERS, "inputs": [[1.0, 2.0], [0.5, -1.0]], "jacobians": ["dS_dW1", "dZ2_dX"]},
    ),
)
SOLUTIONS = _shown(
    two_layers=(
        "The gradient by the first layer's weights, with the derivation of dL/dZ",
        {"problem": TWO_LAYER_PROBLEM, "quantities": ["dL_dW1"], "entry": {"dL_dW1": [0, 1]}, "derive": True},
    ),
    article=("The article's chain, factor by factor", {"problem": ARTICLE_PROBLEM, "quantities": ["dS_dW", "dL_dW"]}),
)
STEPS = _shown(
    two_layers=("Ten steps of two layers", TWO_LAYER_PROBLEM | {"learning_rate": 0.5, "count": 10}),
    regression=("Three steps of a linear layer", REGRESSION_PROBLEM | {"learning_rate": 0.1, "count": 3}),
)

# the article's dXE/dW as it is printed: right numbers in wrong cells
PRINTED_BY_ARTICLE = [
    [0.01909135, 0.09545676, 0.07636541, 0.02035314, 0.10176572],
    [0.08141258, -0.07830167, -0.39150833, -0.31320667, 0.02313243],
    [0.11566214, 0.09252971, 0.01572474, 0.07862371, 0.06289897],
]
ARTICLE_ANSWER: Example = {"problem": ARTICLE_PROBLEM, "answers": {"dL_dW": PRINTED_BY_ARTICLE}}
GRADES = _shown(
    article=("The gradient that the source article prints, put back by rows", ARTICLE_ANSWER),
    exercise=(
        "An exercise's answers, one of them as text",
        {
            "exercise": {"kind": "softmax_forward", "seed": 7},
            "answers": {"S": "[[0.25 0.5 0.25]\n [0.2 0.3 0.5]\n [0.1 0.1 0.8]\n [0.3 0.3 0.4]]"},
            "feedback": "hint",
        },
    ),
    policy=(
        "Text from MATLAB, with a policy",
        {
            "problem": REGRESSION_PROBLEM,
            "asks": ["dL_dW", "dL_db"],
            "answers": {"dL_dW": "-0.2; 1.1", "dL_db": "1/3"},
            "tolerance": {"decimals": 3},
            "policy": {"weights": {"dL_dW": 3}, "mistakes": {"sign_flipped": 0.5}},
        },
    ),
)
AUDITS = _shown(
    hidden=(
        "Numbers that hide much: one sample, all inputs 1, no bias",
        {
            "problem": {
                "network": {
                    "layers": [
                        {"weights": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], "bias": [0, 0, 0], "activation": "softmax"}
                    ]
                },
                "inputs": [[1, 1]],
                "targets": [1],
                "loss": "cross_entropy",
            },
            "asks": ["dL_dW", "dL_db"],
        },
    ),
    two_layers=(
        "Two layers, to three decimals",
        {"problem": TWO_LAYER_PROBLEM, "asks": ["dL_dW1", "dL_dW2"], "decimals": 3},
    ),
)
TOKENS = _shown(
    homework=(
        "For a week of homework, marked with reasons",
        {"seed": 7, "feedback": "diagnosis", "expires_in": 604800},
    ),
    exam=(
        "For the hour of an exam, with the version written down",
        {"seed": 12, "version": LATEST_VERSION, "feedback": "verdict", "expires_in": 3600},
    ),
)
EXERCISE: Example = {"kind": "softmax_forward", "seed": 7}
EXERCISES = _shown(softmax=("A forward pass by hand", EXERCISE))
BULK = {
    "shared": {
        "summary": "Two answers to one problem",
        "value": "\n".join(
            [
                json.dumps({"defaults": {"problem": ARTICLE_PROBLEM, "feedback": "verdict"}}),
                json.dumps({"id": "student 1", "answers": {"L": 1.5279}}),
                json.dumps({"id": "student 2", "answers": {"L": "1,5279"}}),
            ]
        ),
    },
    "single": {"summary": "One answer", "value": json.dumps(ARTICLE_ANSWER)},
}
