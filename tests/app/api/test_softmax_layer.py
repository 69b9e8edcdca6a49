"""The source documents' layer over HTTP: every number that they print, and those behind it at full precision.

The figures were recomputed from the documents' own inputs in float64. What the documents print is
truncated, not rounded, so a printed figure is compared with one unit in its last digit.
"""

import httpx
import numpy as np
import pytest

from app.examples import ARTICLE

pytestmark = pytest.mark.anyio

X = np.array(ARTICLE["inputs"])
S = np.array([0.19091351615156654, 0.20353144839001694, 0.2169833300375167, 0.23132427881095552, 0.1572474266099444])
Y = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
LOSS = 1.5279347484961026
FULL = {
    "Z": np.array([0.354, 0.418, 0.48200000000000004, 0.546, 0.16]),
    "S": S,
    "dL_dS": np.array([0.0, 0.0, -4.608648967766781, 0.0, 0.0]),
    "dL_dZ": np.array(
        [0.19091351615156654, 0.20353144839001694, -0.7830166699624833, 0.23132427881095552, 0.1572474266099444]
    ),
    "dL_dW": np.array(
        [
            [
                0.019091351615156654,
                0.020353144839001695,
                -0.07830166699624834,
                0.023132427881095555,
                0.01572474266099444,
            ],
            [0.09545675807578327, 0.10176572419500847, -0.39150833498124166, 0.11566213940547776, 0.0786237133049722],
            [0.07636540646062662, 0.08141257935600678, -0.31320666798499336, 0.09252971152438222, 0.06289897064397776],
        ]
    ),
    "dS_dZ": np.diag(S) - np.outer(S, S),
    "dZ_dW": np.kron(np.eye(5), X),
    "dS_dW": np.kron(np.diag(S) - np.outer(S, S), X),
    "dL_db": S - Y,
}
# the document calls this dXE/dW: the row of the chain, reshaped to (3, 5) by rows
PRINTED_ROW = [
    *(0.01909135, 0.09545676, 0.07636541, 0.02035314, 0.10176572),
    *(0.08141258, -0.07830167, -0.39150833, -0.31320667, 0.02313243),
    *(0.11566214, 0.09252971, 0.01572474, 0.07862371, 0.06289897),
]
PRINTED = [
    ("S", ..., [0.19091352, 0.20353145, 0.21698333, 0.23132428, 0.15724743], 1e-8),
    ("dL_dS", ..., [0, 0, -4.60864, 0, 0], 1e-5),
    ("dS_dZ", 0, [0.154465, -0.038856, -0.041425, -0.044162, -0.030020], 1e-6),
    ("dS_dZ", 1, [-0.038856, 0.162106, -0.044162, -0.047081, -0.032004], 1e-6),
    ("dS_dZ", 2, [-0.041425, -0.044162, 0.1699015, -0.050193, -0.034120], 1e-6),
    ("dS_dZ", 3, [-0.044162, -0.047081, -0.050193, 0.177813, -0.036375], 1e-6),
    ("dS_dZ", 4, [-0.030020, -0.032004, -0.034120, -0.036375, 0.132520], 1e-6),
    ("dZ_dW", 0, [0.1, 0.5, 0.4, *[0] * 12], 1e-15),
    ("dZ_dW", 4, [*[0] * 12, 0.1, 0.5, 0.4], 1e-15),
    (
        "dS_dW",
        0,
        [
            *(0.01544, 0.07723, 0.06178, -0.00388, -0.01942, -0.01554, -0.00414, -0.02071),
            *(-0.01657, -0.00441, -0.02208, -0.01766, -0.00300, -0.01501, -0.01200),
        ],
        1e-5,
    ),
    (
        "dS_dW",
        1,
        [
            *(-0.00388, -0.01942, -0.01554, 0.01621, 0.08105, 0.06484, -0.00441, -0.02208),
            *(-0.01766, -0.00470, -0.02354, -0.01883, -0.00320, -0.01600, -0.01280),
        ],
        1e-5,
    ),
    (
        "dS_dW",
        2,
        [
            *(-0.00414, -0.02071, -0.01657, -0.00441, -0.02208, -0.01766, 0.01699, 0.08495),
            *(0.06796, -0.00501, -0.02509, -0.02007, -0.00341, -0.01706, -0.01364),
        ],
        1e-5,
    ),
    (
        "dS_dW",
        3,
        [
            *(-0.00441, -0.02208, -0.01766, -0.00470, -0.02354, -0.01883, -0.00501, -0.02509),
            *(-0.02007, 0.01778, 0.08890, 0.07112, -0.00363, -0.01818, -0.01455),
        ],
        1e-5,
    ),
    (
        "dS_dW",
        4,
        [
            *(-0.00300, -0.01501, -0.01200, -0.00320, -0.01600, -0.01280, -0.00341, -0.01706),
            *(-0.01364, -0.00363, -0.01818, -0.01455, 0.01325, 0.06626, 0.05300),
        ],
        1e-5,
    ),
]


async def compute(client: httpx.AsyncClient, **changes: object) -> dict[str, object]:
    reply = await client.post("/v1/softmax-layer", json=ARTICLE | changes)
    assert reply.status_code == 200, reply.text
    result: dict[str, object] = reply.json()
    return result


async def test_the_loss_is_the_documents(client: httpx.AsyncClient) -> None:
    reply = await compute(client)
    assert reply["loss"] == pytest.approx(LOSS, abs=1e-12)


@pytest.mark.parametrize("name", FULL)
async def test_every_quantity_has_the_documents_value_at_full_precision(client: httpx.AsyncClient, name: str) -> None:
    quantities = (await compute(client))["quantities"]
    assert isinstance(quantities, dict)
    assert quantities[name]["shape"] == list(FULL[name].shape)
    np.testing.assert_allclose(quantities[name]["value"], FULL[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "row", "printed", "unit"), PRINTED)
async def test_every_printed_figure_is_within_one_unit_of_its_last_digit(
    client: httpx.AsyncClient, name: str, row: int, printed: list[float], unit: float
) -> None:
    quantities = (await compute(client, quantities=[name]))["quantities"]
    assert isinstance(quantities, dict)
    np.testing.assert_allclose(np.array(quantities[name]["value"])[row], printed, rtol=0, atol=unit)


async def test_the_chain_gives_the_documents_row_and_the_gradient_stands_in_its_own_shape(
    client: httpx.AsyncClient,
) -> None:
    reply = await compute(client)
    chain, quantities = reply["chain"], reply["quantities"]
    assert isinstance(chain, dict)
    assert isinstance(quantities, dict)
    assert chain["factors"] == ["dL_dS", "dS_dZ", "dZ_dW"]
    assert chain["max_abs_difference"] <= 1e-14
    np.testing.assert_allclose(chain["row"], PRINTED_ROW, rtol=0, atol=1e-8)
    gradient = np.array(quantities["dL_dW"]["value"])
    np.testing.assert_allclose(gradient, np.outer(X, S - Y), rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.reshape(chain["row"], (5, 3)).T, gradient, rtol=0, atol=1e-14)
    assert not np.allclose(np.reshape(chain["row"], (3, 5)), gradient), "the erratum: by rows it is not the gradient"


async def test_jacobians_carry_labels_and_other_quantities_do_not(client: httpx.AsyncClient) -> None:
    quantities = (await compute(client))["quantities"]
    assert isinstance(quantities, dict)
    assert set(quantities) == {"Z", "S", "dL_dS", "dS_dZ", "dZ_dW", "dS_dW", "dL_dZ", "dL_dW", "dL_db", "dL_dX"}
    assert quantities["dS_dW"]["rows"] == ["S1", "S2", "S3", "S4", "S5"]
    assert quantities["dS_dW"]["columns"][:4] == ["W11", "W21", "W31", "W12"]
    assert {name for name in quantities if "rows" in quantities[name]} == {"dS_dZ", "dZ_dW", "dS_dW"}


async def test_only_what_is_asked_for_comes_back_under_the_id_as_asked(client: httpx.AsyncClient) -> None:
    reply = await compute(client, quantities=["Z1", "dL_dA", "L"])
    quantities = reply["quantities"]
    assert isinstance(quantities, dict)
    assert list(quantities) == ["Z1", "dL_dA", "L"]
    assert quantities["L"] == {"value": reply["loss"], "shape": []}
    assert "chain" not in reply


async def test_the_chain_is_there_under_other_spellings_of_its_factors(client: httpx.AsyncClient) -> None:
    assert "chain" in await compute(client, quantities=["dL_dA1", "dS_dZ1", "dZ_dW1"])


async def test_a_class_index_and_its_one_hot_row_give_the_same_numbers(client: httpx.AsyncClient) -> None:
    assert await compute(client) == await compute(client, target=Y.tolist())


async def test_a_bias_shifts_the_logits(client: httpx.AsyncClient) -> None:
    bias = [0.0, 0.1, 0.2, -0.1, 0.3]
    quantities = (await compute(client, bias=bias))["quantities"]
    assert isinstance(quantities, dict)
    np.testing.assert_allclose(quantities["Z"]["value"], FULL["Z"] + bias, rtol=0, atol=1e-12)


async def test_an_overflowing_quotient_is_refused_and_the_others_still_work(client: httpx.AsyncClient) -> None:
    steep = {"weights": [[800.0, 0.0]], "inputs": [1.0], "target": 1}
    refused = await client.post("/v1/softmax-layer", json=steep)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["code"] == "not_finite"
    assert "dL_dZ, dL_dW" in refused.json()["detail"]
    answered = await client.post("/v1/softmax-layer", json=steep | {"quantities": ["S", "dL_dZ", "dL_dW"]})
    assert answered.status_code == 200
    assert answered.json()["loss"] == 800.0
    assert answered.json()["quantities"]["dL_dZ"]["value"] == [1.0, -1.0]
