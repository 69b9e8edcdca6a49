"""Bodies for marking and audits that should not have been sent, in the form of the corpus of hostile bodies."""

import json

from app.examples import ARTICLE_PROBLEM, AUDITS, REGRESSION_PROBLEM, TWO_LAYERS

CANARY = "canary7f3a"

ANSWERS = {"L": 1.5}
EXERCISE = {"kind": "softmax_forward", "seed": 7}
FORWARD_PROBLEM = {"network": TWO_LAYERS, "inputs": [[1.0, 2.0]]}
WIDE_PROBLEM = {
    "network": {"layers": [{"weights": [[0] * 1000], "activation": "softmax"}]},
    "inputs": [[1]] * 1000,
}


def grade(**changes: object) -> bytes:
    return json.dumps({"problem": ARTICLE_PROBLEM, "answers": ANSWERS} | changes).encode()


def exercise(answers: object = None, **changes: object) -> bytes:
    return json.dumps({"exercise": EXERCISE | changes, "answers": answers or {}}).encode()


def policy(**changes: object) -> bytes:
    return grade(policy=changes)


def tolerance(**changes: object) -> bytes:
    return grade(tolerance=changes)


def audit(**changes: object) -> bytes:
    return json.dumps(AUDITS["hidden"]["value"] | changes).encode()


def bare(fields: str) -> bytes:
    return f'{{"problem": {json.dumps(ARTICLE_PROBLEM)}, {fields}}}'.encode()


GRADES = [
    # which quantities
    (grade(answers={"loss": 1}), 422, "/answers/loss", "not a quantity id"),
    (grade(answers={CANARY * 9: 1}), 422, "/answers", "not a quantity id"),
    (grade(answers={"Z2": 1}), 422, "/answers/Z2", "found layer 2, the network has 1"),
    (grade(answers={"dL_db": 1}), 422, "/answers/dL_db", "has no bias"),
    (grade(answers={"dZ_dS": 1}), 422, "/answers/dZ_dS", "S is not upstream of Z"),
    (grade(problem=FORWARD_PROBLEM), 422, "/answers/L", "needs targets and loss"),
    (grade(problem=FORWARD_PROBLEM, asks=["dL_dW1"], answers={}), 422, "/asks/0", "needs targets and loss"),
    (grade(answers={"S": 1, "A": 1}), 422, "/answers/A", "S is handed in twice"),
    (grade(answers={"dL_dW": 1, "dL_dW1": 1}), 422, "/answers/dL_dW1", "dL_dW is handed in twice"),
    (grade(asks=["L", "dL_db"]), 422, "/asks/1", "has no bias"),
    (grade(asks=["S", "A"]), 422, "/asks/1", "S is asked for twice"),
    (grade(asks=["L", CANARY]), 422, "/asks/1", "not a quantity id"),
    (grade(asks=[]), 422, "/asks", "needed at least one"),
    (grade(asks="L"), 422, "/asks", "found a string, needed an array"),
    (grade(asks=[1]), 422, "/asks/0", "found a number, needed a string"),
    (grade(answers={}), 422, "/answers", "no answers and no asks"),
    (grade(answers=[CANARY]), 422, "/answers", "found an array, needed an object"),
    (exercise({"dL_dW2": 1}), 422, "/answers/dL_dW2", "found layer 2"),
    # what is marked against
    (grade(exercise=EXERCISE), 422, "/exercise", "both problem and exercise"),
    (json.dumps({"answers": ANSWERS}).encode(), 422, "", "neither problem nor exercise"),
    (json.dumps({"problem": ARTICLE_PROBLEM}).encode(), 422, "/answers", '"answers" is required'),
    (json.dumps({"exercise": EXERCISE, "asks": ["S"], "answers": {}}).encode(), 422, "/asks", "leave asks out"),
    (grade(problem=ARTICLE_PROBLEM | {"targets": [9]}), 422, "/problem/targets/0", "needed 0 to 4"),
    (grade(problem=ARTICLE_PROBLEM | {"conventions": None}), 422, "/problem/conventions", "found null"),
    (grade(problem=ARTICLE_PROBLEM | {"conventions": [CANARY]}), 422, "/problem/conventions", "found an array"),
    (grade(problem=ARTICLE_PROBLEM | {"conventions": {"l2": None}}), 422, "/problem/conventions/l2", "found null"),
    (grade(problem=ARTICLE_PROBLEM | {"conventions": {"l2": CANARY}}), 422, "/problem/conventions/l2", "a string"),
    (grade(problem=ARTICLE_PROBLEM | {"conventions": {"log": 2}}), 422, "/problem/conventions/log", "not known"),
    (grade(problem=WIDE_PROBLEM, asks=["dS_dZ"], answers={}), 422, "/asks/0", "the limit is 4000000"),
    (grade(problem=REGRESSION_PROBLEM | {"inputs": [[1e308] * 2] * 2}, asks=["L"]), 422, "/asks/0", "not fit float64"),
    (exercise(kind=CANARY), 422, "/exercise/kind", '"softmax_forward", "cross_entropy_loss"'),
    (exercise(kind=None), 422, "/exercise/kind", "found null"),
    (exercise(seed=-1), 422, "/exercise/seed", "needed 0 to 2147483647"),
    (exercise(seed=2**31), 422, "/exercise/seed", "above 2147483647"),
    (exercise(seed=1.5), 422, "/exercise/seed", "without a decimal point"),
    (exercise(seed="7"), 422, "/exercise/seed", "found a string"),
    (exercise(version=0), 422, "/exercise/version", "the version is 0; this release draws"),
    (exercise(version=999), 422, "/exercise/version", "others have other numbers"),
    (exercise(version=None), 422, "/exercise/version", "found null"),
    (exercise(variant=1), 422, "/exercise/variant", "not known"),
    # how it is marked
    (tolerance(), 422, "/tolerance", "either decimals, or relative and absolute"),
    (tolerance(decimals=2, relative=0.1), 422, "/tolerance", "either decimals, or relative and absolute"),
    (tolerance(relative=0), 422, "/tolerance", "a tolerance of 0"),
    (tolerance(absolute=0.0), 422, "/tolerance", "a tolerance of 0"),
    (tolerance(relative=0, absolute=0), 422, "/tolerance", "a tolerance of 0"),
    (tolerance(relative=1e9), 422, "/tolerance/relative", "any answer would be right"),
    (tolerance(absolute=1e9), 422, "/tolerance/absolute", "any answer would be right"),
    (tolerance(relative=-0.1), 422, "/tolerance/relative", "needed 0 to 1"),
    (tolerance(absolute=None), 422, "/tolerance/absolute", "found null"),
    (tolerance(decimals=10**9), 422, "/tolerance/decimals", "needed 0 to 15"),
    (tolerance(decimals=-1), 422, "/tolerance/decimals", "needed 0 to 15"),
    (tolerance(decimals=2.0), 422, "/tolerance/decimals", "without a decimal point"),
    (grade(tolerance=0.1), 422, "/tolerance", "found a number, needed an object"),
    (grade(tolerance=None), 422, "/tolerance", "found null, needed an object"),
    (grade(policy=None), 422, "/policy", "found null, needed an object"),
    (policy(mistakes={"sign_fliped": 1}), 422, "/policy/mistakes/sign_fliped", "sign_flipped"),
    (policy(mistakes={"sign_flipped": 1.1}), 422, "/policy/mistakes/sign_flipped", "needed 0 to 1"),
    (policy(mistakes={"sign_flipped": -0.1}), 422, "/policy/mistakes/sign_flipped", "needed 0 to 1"),
    (policy(mistakes=["sign_flipped"]), 422, "/policy/mistakes", "found an array, needed an object"),
    (policy(weights={"L": -1}), 422, "/policy/weights/L", "needed 0 or more"),
    (policy(weights={"L": "1"}), 422, "/policy/weights/L", "found a string"),
    (policy(weights={"L": 0}), 422, "/policy/weights", "needed one above 0"),
    (policy(weights={"S": 1}), 422, "/policy/weights/S", "not asked"),
    (policy(weights=None), 422, "/policy/weights", "found null"),
    (policy(convention=2), 422, "/policy/convention", "needed 0 to 1"),
    (policy(entries=-1), 422, "/policy/entries", "needed 0 to 1"),
    (policy(entries=None), 422, "/policy/entries", "found null"),
    (policy(credit=1), 422, "/policy/credit", "not known"),
    (grade(feedback=CANARY), 422, "/feedback", '"verdict", "hint", "diagnosis"'),
    (grade(feedback=None), 422, "/feedback", "found null"),
    (grade(follow_through="no"), 422, "/follow_through", "needed true or false"),
    (grade(follow_through=None), 422, "/follow_through", "found null"),
    *((grade(**{key: None}), 422, f"/{key}", "found null") for key in ["problem", "exercise", "asks", "answers"]),
    # bare words and keys: only an answer may be anything
    (bare('"answers": {"L": NaN}, "tolerance": {"relative": Infinity}'), 400, "/tolerance/relative", "found Infinity"),
    (bare('"policy": {"weights": {"L": -Infinity}}, "answers": {}'), 400, "/policy/weights/L", "found -Infinity"),
    (bare('"answers": NaN'), 422, "/answers", "found a number, needed an object"),
    (bare('"answers": {"L": 1, "L": 1}'), 400, "", 'the key "L" stands twice'),
    (bare('"answers": {"L": nan}'), 400, "", "not JSON"),
    (bare('"answers": {"L": 1e400}, "tolerance": {"relative": 1e400}'), 422, "/tolerance/relative", "cannot hold"),
]

AUDIT = [
    (audit(asks=[]), 422, "/asks", "needed at least one"),
    (audit(asks=["dL_dW", CANARY]), 422, "/asks/1", "not a quantity id"),
    (audit(asks=["S", "A"]), 422, "/asks/1", "S is asked for twice"),
    (audit(asks=["dL_dW2"]), 422, "/asks/0", "found layer 2"),
    (audit(asks=None), 422, "/asks", "found null"),
    (audit(problem=FORWARD_PROBLEM), 422, "/asks/0", "needs targets and loss"),
    (audit(problem=None), 422, "/problem", "found null, needed an object"),
    (audit(decimals=0), 422, "/decimals", "needed 1 to 12"),
    (audit(decimals=13), 422, "/decimals", "needed 1 to 12"),
    (audit(decimals=1.5), 422, "/decimals", "without a decimal point"),
    (audit(decimals=None), 422, "/decimals", "found null"),
    (audit(answers={}), 422, "/answers", "not known"),
    (b'{"asks": ["L"]}', 422, "/problem", "required"),
    (audit(problem=WIDE_PROBLEM, asks=["dS_dZ"]), 422, "/asks/0", "the limit is 4000000"),
    (audit(problem=WIDE_PROBLEM, asks=["S"]), 422, "/asks", "the answers of all mistakes"),
]

MARKING = [*(("grades", *case) for case in GRADES), *(("exercises/audit", *case) for case in AUDIT)]
