"""Marking over HTTP: verdicts, feedback levels, conventions, and answers that may be anything at all."""

import json
from typing import Any

import httpx
import numpy as np
import pytest

from app import __version__
from app.examples import ARTICLE_PROBLEM, PRINTED_BY_ARTICLE, REGRESSION_PROBLEM
from core.exercises import LATEST_VERSION
from core.grading import LEVELS
from tests.support.grades import UNSTATED, compute, grade, mark

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

BACKWARD = ["dL_dZ2", "dL_dW2", "dL_db2", "dL_dZ1", "dL_dW1", "dL_db1"]


# verdicts


async def test_the_articles_printed_gradient_is_put_back_by_rows(client: httpx.AsyncClient) -> None:
    part = await mark(client, PRINTED_BY_ARTICLE)
    assert (part["verdict"], part["score"]) == ("incorrect", 0.0)
    assert [diagnosis["mistakes"] for diagnosis in part["diagnoses"]] == [["reshaped_rows_first"]]


async def test_the_articles_row_is_no_gradient_of_the_weights(client: httpx.AsyncClient) -> None:
    row = [number for line in PRINTED_BY_ARTICLE for number in line]
    for answer in (row, [row], str(row)):
        assert (await mark(client, answer))["verdict"] == "wrong_shape"


async def test_a_right_answer_is_correct_and_has_no_diagnosis(client: httpx.AsyncClient) -> None:
    truth = (await compute(client, ARTICLE_PROBLEM, "dL_dW"))["dL_dW"]
    for answer in (truth, np.round(truth, 4).tolist(), np.float32(truth).tolist()):
        document = await grade(client, problem=ARTICLE_PROBLEM, answers={"dL_dW": answer})
        assert (document["score"], document["verdict"]) == (1.0, "correct")
        assert "first_wrong" not in document
        assert document["parts"][0]["diagnoses"] == []


ONE_OUTPUT: Json = {
    "network": {"layers": [{"weights": [[0.5], [0.25]], "bias": [0.1], "activation": "sigmoid"}]},
    "inputs": [[1.0, 2.0], [0.5, -1.0]],
    "targets": [[1.0], [0.0]],
    "loss": "binary_cross_entropy",
}


@pytest.mark.parametrize("answer", [0.1376196465370288, [0.1376196465370288], "[[0.1376196465370288]]"])
async def test_one_number_is_an_array_of_one(client: httpx.AsyncClient, answer: object) -> None:
    assert (await mark(client, answer, "dL_db", problem=ONE_OUTPUT))["verdict"] == "correct"


async def test_a_flat_list_for_a_column_is_not_reshaped_and_nothing_is_swapped(client: httpx.AsyncClient) -> None:
    part = await mark(client, [0.006374849667293805, -0.5122294881443524], problem=ONE_OUTPUT)
    assert part["verdict"] == "wrong_shape"
    assert [diagnosis["mistakes"] for diagnosis in part["diagnoses"]] == [["not_reshaped"]]
    assert "flat list" in part["hints"][0]


async def test_one_answer_in_many_forms_gets_one_mark(client: httpx.AsyncClient) -> None:
    rounded = np.round((await compute(client, ARTICLE_PROBLEM, "dL_dW"))["dL_dW"], 4)
    rows = "; ".join(" ".join(map(str, row)) for row in rounded)
    forms = [rounded.tolist(), json.dumps(rounded.tolist()), str(rounded), repr(rounded), rows, f"dL_dW = [{rows}]"]
    parts = [await mark(client, form, feedback="full") for form in [*forms, str(rounded).replace("-", "\u2212")]]
    assert parts[0]["verdict"] == "correct"
    assert all(part == parts[0] for part in parts)


async def test_a_part_that_is_asked_and_not_handed_in_is_missing(client: httpx.AsyncClient) -> None:
    document = await grade(client, problem=ARTICLE_PROBLEM, asks=["L", "S"], answers={"L": 1.5279, "Z": [[1] * 5]})
    verdicts = {part["quantity"]: part["verdict"] for part in document["parts"]}
    assert verdicts == {"L": "correct", "S": "missing", "Z": "incorrect"}
    # what is not asked weighs nothing
    assert (document["score"], document["verdict"]) == (0.5, "partly_correct")


async def test_a_reply_spells_quantities_as_the_request_does(client: httpx.AsyncClient) -> None:
    document = await grade(client, problem=ARTICLE_PROBLEM, asks=["A"], answers={"S": [[0.2] * 5], "dL_dW1": 0})
    assert [part["quantity"] for part in document["parts"]] == ["A", "dL_dW1"]


@pytest.mark.parametrize("follow_through", [True, False])
async def test_a_slip_costs_its_own_part_where_others_follow_from_it(
    client: httpx.AsyncClient, *, follow_through: bool
) -> None:
    truth = await compute(client, UNSTATED, *BACKWARD)
    answers = {name: (-np.array(value)).tolist() for name, value in truth.items()}
    document = await grade(client, problem=UNSTATED, answers=answers, follow_through=follow_through)
    assert document["first_wrong"] == "dL_dZ2"
    verdicts = [part["verdict"] for part in document["parts"]]
    assert verdicts == ["incorrect", *["follows_through" if follow_through else "incorrect"] * 5]
    assert document["score"] == pytest.approx(5 / 6 if follow_through else 0)


async def test_a_policy_says_what_verdicts_are_worth(client: httpx.AsyncClient) -> None:
    truth = await compute(client, REGRESSION_PROBLEM, "dL_dW", "dL_db")
    answers = {"dL_dW": (-np.array(truth["dL_dW"])).tolist(), "dL_db": truth["dL_db"]}
    policy = {"weights": {"dL_dW": 3}, "mistakes": {"sign_flipped": 0.5}}
    body: Json = {"problem": REGRESSION_PROBLEM, "answers": answers, "follow_through": False}
    assert (await grade(client, **body, policy=policy))["score"] == pytest.approx((3 * 0.5 + 1) / 4)
    assert (await grade(client, **body))["score"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("tolerance", "verdict"),
    [({"decimals": 1}, "correct"), ({"relative": 0.1}, "correct"), ({"absolute": 0.001}, "incorrect")],
)
async def test_a_tolerance_that_is_given_is_the_one_used(
    client: httpx.AsyncClient, tolerance: Json, verdict: str
) -> None:
    part = await mark(client, 1.51, "L", tolerance=tolerance)
    assert part["verdict"] == verdict
    assert part["tolerance"].items() >= tolerance.items()


async def test_a_policy_may_charge_a_mistake_once_and_give_less_for_what_follows(client: httpx.AsyncClient) -> None:
    truth = await compute(client, UNSTATED, *BACKWARD)
    answers = {name: (-np.array(value)).tolist() for name, value in truth.items()}
    body: Json = {"problem": UNSTATED, "answers": answers}
    follows = await grade(client, **body, policy={"follow_through": 0.5})
    assert follows["score"] == pytest.approx(5 * 0.5 / 6)
    once = await grade(client, **body, policy={"once": True}, follow_through=False)
    assert once["score"] == pytest.approx(5 / 6)
    assert {part["verdict"] for part in once["parts"]} == {"incorrect"}


async def test_a_reply_says_what_a_grading_tool_and_a_student_need(client: httpx.AsyncClient) -> None:
    exercise = {"kind": "two_layer_network", "seed": 1}
    document = await grade(client, exercise=exercise, answers={"dL_dW2": "?"}, feedback="verdict")
    against = document["marked_against"]
    assert against == exercise | {"version": LATEST_VERSION, "release": __version__}
    assert document["gradable"] is False
    part = next(part for part in document["parts"] if part["quantity"] == "dL_dW2")
    assert (part["title"], part["weight"]) == ("gradient by the weights of layer 2", 1.0)
    assert part["reading"]["message"] in part["message"]
    own = await grade(client, problem=ARTICLE_PROBLEM, asks=["L"], answers={"L": 1.5279, "S": [0.2] * 5})
    assert own["marked_against"] == {"release": __version__}
    assert own["gradable"] is True
    assert [part["weight"] for part in own["parts"]] == [1.0, 0.0]


# feedback levels


# from which level on a key is shown
SHOWN_FROM = {
    "hints": "hint",
    "diagnoses": "diagnosis",
    "convention": "diagnosis",
    "first_wrong": "diagnosis",
    "entries": "location",
    "right": "location",
    "of": "location",
    "expected": "full",
    "largest_error": "full",
    "allowed": "full",
}
ANSWERS: Json = {
    "dL_dZ2": [[1, 2], [3, 4], [5, 6]],
    "dL_dW2": [[0.1, 0.2]],
    "dL_db2": "oops",
    "dL_dW1": [[float("nan")] * 3] * 2,
    "S": [[0.5, 0.5]] * 3,
}


def shown_at(level: str, full: Any) -> Any:
    """Leave out of the fullest reply what a level does not show."""
    if isinstance(full, list):
        return [shown_at(level, entry) for entry in full]
    if not isinstance(full, dict):
        return full
    rank = LEVELS.index(level)
    return {
        key: shown_at(level, value)
        for key, value in full.items()
        if LEVELS.index(SHOWN_FROM.get(key, "verdict")) <= rank
    }


def without_sentences(document: Json) -> Json:
    """Leave out the sentence for each part and for the whole: each level has its own."""
    parts = [{key: value for key, value in part.items() if key != "message"} for part in document["parts"]]
    return {key: value for key, value in document.items() if key != "message"} | {"parts": parts}


async def submissions(client: httpx.AsyncClient) -> list[Json]:
    """List submissions with every verdict among them."""
    another = await compute(client, UNSTATED | {"conventions": {"reduction": "sum"}}, "dL_dZ2", "dL_dW2", "dL_db2")
    slipped = {
        name: (-np.array(value)).tolist() for name, value in (await compute(client, UNSTATED, *BACKWARD)).items()
    }
    return [
        {"problem": UNSTATED, "asks": [*BACKWARD, "S", "L"], "answers": ANSWERS},
        {"problem": UNSTATED, "answers": another | {"L": 0.1}},
        {"problem": UNSTATED, "answers": slipped},
        {"problem": ARTICLE_PROBLEM, "answers": {"dL_dW": PRINTED_BY_ARTICLE, "L": 1.5279}},
        {"exercise": {"kind": "two_layer_network", "seed": 1}, "answers": ANSWERS},
    ]


async def test_each_level_shows_the_same_and_more(client: httpx.AsyncClient) -> None:
    verdicts, keys = set(), set()
    for body in await submissions(client):
        full = await grade(client, **body, feedback="full")
        verdicts |= {part["verdict"] for part in full["parts"]}
        keys |= {*full, *(key for part in full["parts"] for key in [*part, *part.get("tolerance", ())])}
        for level in LEVELS:
            document = await grade(client, **body, feedback=level)
            assert without_sentences(document) == shown_at(level, without_sentences(full))
        assert without_sentences(await grade(client, **body)) == shown_at("diagnosis", without_sentences(full))
    assert len(verdicts) == 8
    assert keys >= set(SHOWN_FROM)


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, list | dict):
        return [
            number for part in (value.values() if isinstance(value, dict) else value) for number in numbers_in(part)
        ]
    return [] if isinstance(value, bool | str) else [value]


def leading_digits(expected: Any) -> set[str]:
    """Return the first digits of each number, wherever its point stands."""
    texts = (repr(abs(number)).replace(".", "").lstrip("0")[:4] for number in numbers_in(expected))
    return {digits for digits in texts if len(digits) == 4}


async def test_only_the_fullest_level_has_a_number_of_the_solution(client: httpx.AsyncClient) -> None:
    for body in await submissions(client):
        full = await grade(client, **body, feedback="full")
        solution = leading_digits([part["expected"] for part in full["parts"]])
        assert len(solution) > 5
        assert all(digits in json.dumps(full).replace(".", "") for digits in solution)
        for level in LEVELS[:-1]:
            document = await grade(client, **body, feedback=level)
            del document["conventions"], document["marked_against"]
            assert not [digits for digits in solution if digits in json.dumps(document).replace(".", "")]
            for part in document["parts"]:
                reading = {key: value for key, value in part.get("reading", {}).items() if key != "message"}
                known = [part["score"], part["weight"], *(part[name] for name in ("right", "of") if name in part)]
                known += [part.get("tolerance", {}), part.get("convention", {}), reading]
                assert sorted(numbers_in(part)) == sorted(numbers_in(known))
