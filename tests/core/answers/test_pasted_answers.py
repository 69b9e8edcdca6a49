"""Right answers as people paste them from tools are marked correct: one of each kind that used to be refused."""

import numpy as np
import pytest

from core.grade_requests import Grader, GradeRequest
from core.problem import Layer, Network, Problem

WEIGHTS = [[0.1, 0.2, 0.3, 0.4, 0.5], [0.6, 0.7, 0.8, 0.9, 0.1], [0.11, 0.12, 0.13, 0.14, 0.15]]
ARTICLE = Problem(
    network=Network(layers=(Layer(weights=np.array(WEIGHTS), activation="softmax"),)),
    inputs=np.array([[0.1, 0.5, 0.4]]),
    targets=np.array([2]),
    loss="cross_entropy",
)
BATCH = Problem(
    network=Network(
        layers=(Layer(weights=np.array([[0.5, -0.25], [1.0, 0.75]]), bias=np.array([0.1, -0.2]), activation="softmax"),)
    ),
    inputs=np.array([[1.0, 2.0], [0.5, -1.0]]),
    targets=np.array([0, 1]),
    loss="cross_entropy",
)
LARGE = Problem(
    network=Network(layers=(Layer(weights=np.array([[1234.5]]), activation="identity"),)),
    inputs=np.array([[1.0]]),
    targets=np.array([[0.0]]),
    loss="half_squared_error",
)


@pytest.mark.parametrize(
    ("problem", "quantity", "answer", "verdict"),
    [
        (ARTICLE, "S", "0,1909, 0,2035, 0,2170, 0,2313, 0,1572", "correct"),
        (BATCH, "dL_dW", "0,0636, -0,0636\n-0,4774, 0,4774", "correct"),
        (LARGE, "L", "761,995.125", "unreadable"),
        (ARTICLE, "L", "1,5279", "correct"),
        (
            BATCH,
            "dL_dW",
            "0.0636266;-0.0636266\n-0.4774258;0.4774258\n",
            "correct",
        ),
        (ARTICLE, "S", "0    0.190914\n1    0.203531\n2    0.216983\n3    0.231324\n4    0.157247", "correct"),
        (
            ARTICLE,
            "S",
            "0    0.190914\n1    0.203531\n2    0.216983\n3    0.231324\n4    0.157247\ndtype: float64",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "<tf.Variable 'W:0' shape=(2, 2) dtype=float32, numpy=\narray([[0.0636, -0.0636],\n [-0.4774, 0.4774]])>",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "Parameter containing:\ntensor([[0.0636, -0.0636],\n        [-0.4774, 0.4774]], requires_grad=True)",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "DeviceArray([[0.0636266, -0.0636266],\n             [-0.4774258, 0.4774258]], dtype=float32)",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            ">>> dW\narray([[0.0636266, -0.0636266],\n       [-0.4774258, 0.4774258]])",
            "correct",
        ),
        (BATCH, "dL_dW", "\\begin{pmatrix} 0.0636 & -0.0636 \\\\ -0.4774 & 0.4774 \\end{pmatrix}", "correct"),
        (BATCH, "dL_dW", "dW =\n\n  Columns 1 through 2\n\n    0.0636   -0.0636\n   -0.4774    0.4774\n", "correct"),
        (
            BATCH,
            "dL_dW",
            "2×2 Matrix{Float64}:\n  0.0636266  -0.0636266\n -0.4774258   0.4774258",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "{{0.0636266, -0.0636266}, {-0.4774258, 0.4774258}}",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "```python\n[[0.0636266, -0.0636266], [-0.4774258, 0.4774258]]\n```",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "<table><tr><td>0.0636</td><td>&minus;0.0636</td></tr><tr><td>-0.4774</td><td>0.4774</td></tr></table>",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "[0.0636266 -0.0636266; ...\n -0.4774258 0.4774258]",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "[[0.0636266, ‒0.0636266], [‒0.4774258, 0.4774258]]",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "[[0.0636266, − 0.0636266], [− 0.4774258, 0.4774258]]",
            "correct",
        ),
        (
            BATCH,
            "dL_dW",
            "\u202d0.0636266\u202c -0.0636266\n-0.4774258 0.4774258",
            "correct",
        ),
        (BATCH, "dL_dW", "6.362664*10^-2 -6.362664*10^-2; -4.7742581*10^-1 4.7742581*10^-1", "correct"),
        (ARTICLE, "S", "19.09% 20.35% 21.70% 23.13% 15.72%", "correct"),
        (
            BATCH,
            "dL_dW",
            [["0.0636266", "-0.0636266"], ["-0.4774258", "0.4774258"]],
            "correct",
        ),
    ],
)
def test_a_pasted_answer_is_marked_as_what_it_says(
    problem: Problem, quantity: str, answer: object, verdict: str
) -> None:
    grade = Grader().grade(GradeRequest(problem=problem, answers={quantity: answer}))
    assert grade.parts[0].verdict == verdict


@pytest.mark.parametrize(
    ("problem", "quantity", "answer", "verdict"),
    [
        (ARTICLE, "S", "0,1909, 0,2035, 0,2170, 0,2313, 0,1972", "incorrect"),
        (ARTICLE, "S", "0    0.190914\n1    0.203531\n2    0.216983\n3    0.231324", "wrong_shape"),
        (ARTICLE, "S", "[0,1909 0,2035 0,2170 0,2313 0,1572]", "unreadable"),
        (BATCH, "dL_dW", "0.0636;-0.0636\n0.4774;0.4774\n", "incorrect"),
        (BATCH, "dL_dW", "0.0636;-0.0636;-0.4774;0.4774", "wrong_shape"),
        (BATCH, "dL_dW", "0,0636;-0,0636;-0,4774;0,4774", "unreadable"),
        (LARGE, "L", "761,995", "unreadable"),
        (LARGE, "L", "761 995.125", "unreadable"),
    ],
)
def test_a_wrong_or_doubtful_paste_is_not_correct(problem: Problem, quantity: str, answer: str, verdict: str) -> None:
    grade = Grader().grade(GradeRequest(problem=problem, answers={quantity: answer}))
    assert grade.parts[0].verdict == verdict
