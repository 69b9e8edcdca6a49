"""The service against what its own OpenAPI document says, and against problems that fit: those are answered, always."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.config import SchemathesisConfig
from starlette.types import Receive, Scope, Send

from app.main import create_app
from app.settings import Settings
from core.activations import ACTIVATIONS
from core.grading import LEVELS

Json = dict[str, Any]
Numbers = list[float]
Rows = list[Numbers]
Post = Callable[[str, Json], Json]

CONFIG = SchemathesisConfig.from_path(Path(__file__).parents[3] / ".ci" / "schemathesis.toml")
SERVICE = create_app(Settings.model_construct())
SERVICE.state.readiness = "ready"
DOCUMENT = SERVICE.openapi()
REPEATABLE = hypothesis.settings(derandomize=True, database=None, deadline=None)


async def started_service(scope: Scope, receive: Receive, send: Send) -> None:
    """Be the service, which is not started and stopped around every single request."""
    if scope["type"] != "lifespan":
        await SERVICE(scope, receive, send)
        return
    for event in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{event}"
        await send({"type": f"lifespan.{event}.complete"})


schema = schemathesis.openapi.from_asgi("/openapi.json", started_service, config=CONFIG)


# binary bodies are no text that can be made from a schema: test_tensors.py mutates them
@pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload media types")
@schema.parametrize()
@hypothesis.settings(REPEATABLE, max_examples=30)
def test_every_reply_is_one_that_the_document_promises(case: schemathesis.Case[Any]) -> None:
    assert case.call_and_validate().status_code < 500


# Problems that fit. Small numbers keep every result within float64, so each of them has to be answered.

SIZES = st.integers(1, 3)
# whole numbers are sent as such, as Python and JavaScript send them
NUMBERS = st.integers(-1, 1) | st.floats(-1, 1)
UNIT = st.integers(0, 1) | st.floats(0, 1)


def vector(length: int, entries: st.SearchStrategy[float] = NUMBERS) -> st.SearchStrategy[Numbers]:
    return st.lists(entries, min_size=length, max_size=length)


def matrix(n_rows: int, n_columns: int, entries: st.SearchStrategy[float] = NUMBERS) -> st.SearchStrategy[Rows]:
    return st.lists(vector(n_columns, entries), min_size=n_rows, max_size=n_rows)


@st.composite
def distributions(draw: st.DrawFn, length: int) -> Numbers:
    parts = draw(st.lists(st.integers(0, 9), min_size=length, max_size=length).filter(any))
    return [part / sum(parts) for part in parts]


@st.composite
def networks(draw: st.DrawFn) -> Json:
    widths = draw(st.lists(SIZES, min_size=2, max_size=4))
    layers = []
    for n_in, n_out in pairwise(widths):
        layer = {"weights": draw(matrix(n_in, n_out)), "activation": draw(st.sampled_from(list(ACTIVATIONS)))}
        layers.append(layer | draw(st.fixed_dictionaries({}, optional={"bias": vector(n_out)})))
    return {"layers": layers}


@st.composite
def conventions(draw: st.DrawFn, loss: str) -> Json:
    chosen = {"strength": UNIT, "factor": st.sampled_from([0.5, 1, 1.0])}
    l2 = st.fixed_dictionaries({}, optional=chosen | dict.fromkeys(("biases", "per_sample"), st.booleans()))
    bases = st.sampled_from(["e", 2, 10] if loss.endswith("cross_entropy") else ["e"])
    over_entries = ["mean_over_entries"] if loss.endswith("squared_error") else []
    optional = {
        "reduction": st.sampled_from(["mean", "sum", *over_entries]),
        "l2": l2,
        "log_base": bases,
        "column_order": st.sampled_from(["columns_first", "rows_first"]),
        "relu_at_zero": st.sampled_from([0, 1, 0.5]),
    }
    return draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def targets(draw: st.DrawFn, n_samples: int, n_out: int, last: str, loss: str) -> list[int] | Rows:
    if last == "softmax" and draw(st.booleans()):
        return draw(st.lists(st.integers(0, n_out - 1), min_size=n_samples, max_size=n_samples))
    match loss:
        case "cross_entropy":
            return draw(st.lists(distributions(n_out), min_size=n_samples, max_size=n_samples))
        case "binary_cross_entropy":
            return draw(matrix(n_samples, n_out, UNIT))
        case _:
            return draw(matrix(n_samples, n_out))


@st.composite
def problems(draw: st.DrawFn, *, with_loss: bool = True) -> Json:
    network = draw(networks())
    n_samples = draw(SIZES)
    problem: Json = {"network": network, "inputs": draw(matrix(n_samples, len(network["layers"][0]["weights"])))}
    if not with_loss:
        return problem
    last = network["layers"][-1]
    own = {"softmax": ["cross_entropy"], "sigmoid": ["binary_cross_entropy"]}.get(last["activation"], [])
    loss = draw(st.sampled_from([*own, "squared_error", "half_squared_error"]))
    fitting = targets(n_samples, len(last["weights"][0]), last["activation"], loss)
    problem |= {"loss": loss, "targets": draw(fitting)}
    return problem | draw(st.fixed_dictionaries({}, optional={"conventions": conventions(loss)}))


@st.composite
def quantity_ids(draw: st.DrawFn, problem: Json) -> list[str]:
    """Draw derivatives that the problem has, each in one of its spellings."""
    layers = problem["network"]["layers"]
    depth = len(layers)
    # in the order of the forward pass: a derivative is by something before
    nodes = [["X"]]
    for number, layer in enumerate(layers, start=1):
        for symbol in "WbZA" if "bias" in layer else "WZA":
            nodes += [[f"{symbol}{number}", symbol] if number == depth else [f"{symbol}{number}"]]
    if layers[-1]["activation"] == "softmax":
        nodes[-1].append("S")
    nodes += [["L"]] if "loss" in problem else []
    pairs = [(of, by) for at, of in enumerate(nodes) if of[0][0] in "ZAL" for by in nodes[:at]]
    one_each = st.lists(st.sampled_from(pairs), min_size=1, max_size=5, unique_by=lambda pair: (pair[0][0], pair[1][0]))
    chosen = draw(one_each)
    return [f"d{draw(st.sampled_from(of))}_d{draw(st.sampled_from(by))}" for of, by in chosen]


@st.composite
def softmax_layer_bodies(draw: st.DrawFn) -> Json:
    n_in, n_classes = draw(SIZES), draw(SIZES)
    layer = {"layers": [{"activation": "softmax", "bias": []}]}
    ids = quantity_ids({"network": layer, "loss": "cross_entropy"})
    spellings = st.sampled_from([["Z", "Z1"], ["S", "A", "A1"], ["L"]])
    forward = [draw(st.sampled_from(names)) for names in draw(st.lists(spellings, unique_by=lambda names: names[0]))]
    body = {
        "weights": draw(matrix(n_in, n_classes)),
        "inputs": draw(vector(n_in)),
        "target": draw(st.integers(0, n_classes - 1) | distributions(n_classes)),
    }
    if draw(st.booleans()):
        body["quantities"] = forward + draw(ids)
    return body | draw(st.fixed_dictionaries({}, optional={"bias": vector(n_classes)}))


@st.composite
def forward_bodies(draw: st.DrawFn) -> Json:
    return draw(problems(with_loss=draw(st.booleans())))


@st.composite
def gradients_bodies(draw: st.DrawFn) -> Json:
    problem = draw(problems())
    if draw(st.booleans()):
        ids = [name for name in draw(quantity_ids(problem)) if name.startswith("dL")]
        return problem | {"quantities": ids or ["L"]}
    return problem | draw(st.fixed_dictionaries({}, optional={"check": st.booleans()}))


@st.composite
def solutions_bodies(draw: st.DrawFn) -> Json:
    problem = draw(problems())
    optional = {"quantities": quantity_ids(problem), "decimals": st.integers(0, 6)}
    if problem["loss"].endswith("cross_entropy"):
        optional["derive"] = st.booleans()
    return {"problem": problem} | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def jacobians_bodies(draw: st.DrawFn) -> Json:
    problem = draw(forward_bodies())
    return problem | {"jacobians": draw(quantity_ids(problem))}


@st.composite
def steps_bodies(draw: st.DrawFn) -> Json:
    # few and small steps: a longer descent may leave float64, which is a refusal
    return draw(problems()) | {"learning_rate": draw(st.just(0) | st.floats(0, 0.1)), "count": draw(st.integers(0, 2))}


@st.composite
def audit_bodies(draw: st.DrawFn) -> Json:
    problem = draw(problems())
    decimals = st.fixed_dictionaries({}, optional={"decimals": st.integers(1, 12)})
    return {"problem": problem, "asks": draw(quantity_ids(problem))} | draw(decimals)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda parts: st.lists(parts) | st.dictionaries(st.sampled_from(["a", "L"]), parts),
    max_leaves=9,
)


@st.composite
def grades_bodies(draw: st.DrawFn) -> Json:
    """Draw answers that may be anything to a problem that fits."""
    problem = draw(problems())
    ids = draw(quantity_ids(problem))
    rows = st.lists(st.lists(NUMBERS, min_size=1, max_size=3), min_size=1, max_size=3)
    texts = rows.map(str) | st.text("0123456789.,;-+/ enaif[]()\n", max_size=20)
    answers = {name: draw(ANYTHING | rows | texts | NUMBERS) for name in ids}
    tolerances = [{"decimals": 3}, {"relative": 0.01}, {"absolute": 0.1, "relative": 0}]
    optional = {
        "asks": st.just(ids),
        "tolerance": st.sampled_from(tolerances),
        "feedback": st.sampled_from(LEVELS),
        "follow_through": st.booleans(),
        "policy": st.fixed_dictionaries({}, optional={"convention": UNIT, "entries": UNIT}),
    }
    return {"problem": problem, "answers": answers} | draw(st.fixed_dictionaries({}, optional=optional))


BODIES = {
    "/v1/softmax-layer": softmax_layer_bodies(),
    "/v1/forward": forward_bodies(),
    "/v1/gradients": gradients_bodies(),
    "/v1/jacobians": jacobians_bodies(),
    "/v1/steps": steps_bodies(),
    "/v1/solutions": solutions_bodies(),
    "/v1/grades": grades_bodies(),
    "/v1/exercises/audit": audit_bodies(),
}


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """Post a body to a path of the service, in process; every reply has to be a 200 as the document describes it."""
    with start_blocking_portal() as portal:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(SERVICE), base_url="http://test")

        def post_checked(path: str, body: Json) -> Json:
            async def send() -> httpx.Response:
                # as Python's json writes it, NaN and Infinity included
                return await client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})

            reply = portal.call(send)
            assert reply.status_code == 200, reply.text
            parsed: Json = json.loads(reply.content, parse_constant=refuse_constant)
            assert_numbers_only(parsed)
            validator(path).validate(parsed)
            return parsed

        yield post_checked
        portal.call(client.aclose)


def validator(path: str) -> Draft202012Validator:
    content = DOCUMENT["paths"][path]["post"]["responses"]["200"]["content"]
    return Draft202012Validator(content["application/json"]["schema"] | {"components": DOCUMENT["components"]})


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def assert_numbers_only(reply: object) -> None:
    match reply:
        case dict():
            for part in reply.values():
                assert_numbers_only(part)
        case list():
            for part in reply:
                assert_numbers_only(part)
        case _:
            assert reply is not None


def test_every_computation_of_the_document_has_problems_that_fit() -> None:
    posts = {path for path, methods in DOCUMENT["paths"].items() if "post" in methods}
    # lines are no JSON, and a token is no computation
    assert set(BODIES) == posts - {"/v1/grades/bulk", "/v1/exercises/{kind}/tokens"}


@pytest.mark.parametrize("path", BODIES)
@hypothesis.settings(REPEATABLE, max_examples=100)
@hypothesis.given(data=st.data())
def test_a_problem_that_fits_is_answered_as_the_document_describes(post: Post, path: str, data: st.DataObject) -> None:
    post(path, data.draw(BODIES[path]))


@hypothesis.settings(REPEATABLE, max_examples=100)
@hypothesis.given(data=st.data())
def test_what_the_service_computes_is_correct_to_its_marking(post: Post, data: st.DataObject) -> None:
    problem = data.draw(problems())
    jacobians = post("/v1/jacobians", problem | {"jacobians": data.draw(quantity_ids(problem))})["jacobians"]
    answers = {name: entry["value"] for name, entry in jacobians.items()} | {"L": post("/v1/forward", problem)["loss"]}
    as_text = {name: json.dumps(answer) for name, answer in answers.items()}
    for handed_in in (answers, as_text):
        grade = post("/v1/grades", {"problem": problem, "answers": handed_in})
        assert [part["verdict"] for part in grade["parts"]] == ["correct"] * len(answers)
        assert (grade["score"], grade["verdict"]) == (1.0, "correct")
