"""The browser's client of binary bodies, run by Node where there is one."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from app.access.keys import make_key
from app.examples import ARTICLE_PROBLEM
from tests.support.server import run_server

CLIENT = Path(__file__).parents[3] / "examples" / "tensors.mjs"
NODE = shutil.which("node") or ""

SCRIPT = """
const { post, tensor } = await import(process.argv[1]);
const [address, text, key] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}` };
const problem = JSON.parse(text);
const [layer] = problem.network.layers;
const weights = tensor([3, 5], Float64Array.from(layer.weights.flat()));
const targets = tensor([1], BigInt64Array.from(problem.targets.map(BigInt)));
const inputs = tensor([1, 3], Float64Array.from(problem.inputs.flat()));
const body = { ...problem, network: { layers: [{ ...layer, weights }] }, inputs, targets };
const reply = await post(address + "/v1/gradients", body, headers);
const found = reply.layers[0].grad_weights;
const refused = [];
for (const given of [headers, {}]) {
  refused.push(await post(address + "/v1/gradients", {}, given).catch((error) => error.message));
}
console.log(JSON.stringify({ shape: found.shape, data: [...found.data], loss: reply.loss, refused }));
"""


@pytest.mark.skipif(not NODE, reason="there is no Node here")
def test_a_page_sends_and_receives_the_same_numbers() -> None:
    text, key = make_key("page", {"compute"})
    with run_server(keys=key.write()) as server:
        arguments = [NODE, "--input-type=module", "--eval", SCRIPT, "--", CLIENT.as_uri()]
        arguments += [f"http://127.0.0.1:{server.port}", json.dumps(ARTICLE_PROBLEM), text]
        ran = subprocess.run(arguments, capture_output=True, text=True, check=True)
        found = json.loads(ran.stdout)
        expected = server.client.post(
            "/v1/gradients", json=ARTICLE_PROBLEM, headers={"Authorization": f"Bearer {text}"}
        ).json()
    assert found["shape"] == [3, 5]
    assert found["data"] == [number for row in expected["layers"][0]["grad_weights"] for number in row]
    assert found["loss"] == expected["loss"]
    wrong, unknown = found["refused"]
    assert '/network: the key "network" is required and missing' in wrong
    assert "found no key" in unknown
