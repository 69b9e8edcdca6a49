"""The browser's client of binary bodies, run by Node where there is one."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from app.examples import ARTICLE_PROBLEM
from tests.app.server import run_server

CLIENT = Path(__file__).parents[2] / "examples" / "tensors.mjs"
NODE = shutil.which("node") or ""

SCRIPT = """
const { post, tensor } = await import(process.argv[1]);
const [address, text] = process.argv.slice(2);
const problem = JSON.parse(text);
const [layer] = problem.network.layers;
const weights = tensor([3, 5], Float64Array.from(layer.weights.flat()));
const targets = tensor([1], BigInt64Array.from(problem.targets.map(BigInt)));
const inputs = tensor([1, 3], Float64Array.from(problem.inputs.flat()));
const body = { ...problem, network: { layers: [{ ...layer, weights }] }, inputs, targets };
const reply = await post(address + "/v1/gradients", body);
const found = reply.layers[0].grad_weights;
const refused = await post(address + "/v1/gradients", {}).catch((error) => error.message);
console.log(JSON.stringify({ shape: found.shape, data: [...found.data], loss: reply.loss, refused }));
"""


@pytest.mark.skipif(not NODE, reason="there is no Node here")
def test_a_page_sends_and_receives_the_same_numbers() -> None:
    with run_server() as server:
        arguments = [NODE, "--input-type=module", "--eval", SCRIPT, "--", CLIENT.as_uri()]
        arguments += [f"http://127.0.0.1:{server.port}", json.dumps(ARTICLE_PROBLEM)]
        ran = subprocess.run(arguments, capture_output=True, text=True, check=True)
        found = json.loads(ran.stdout)
        expected = server.client.post("/v1/gradients", json=ARTICLE_PROBLEM).json()
    assert found["shape"] == [3, 5]
    assert found["data"] == [number for row in expected["layers"][0]["grad_weights"] for number in row]
    assert found["loss"] == expected["loss"]
    assert "is required and missing" in found["refused"]
