// A lesson: the gradient of a softmax layer is Xᵀ·(S − Y)/N. It is computed by hand, asked for, and descended.
//
// usage: node built/lesson.js ADDRESS KEY

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./gradmark.js";

type Problem = components["schemas"]["GradientsBody"];

const [baseUrl = "", key = ""] = process.argv.slice(2);
const service = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

const inputs = [[1, 2], [0.5, -1], [-1.5, 0.25]];
const labels = [0, 1, 2];
const problem: Problem = {
  network: { layers: [{ weights: [[0.5, -0.2, 0.1], [0.3, 0.8, -0.6]], activation: "softmax" }] },
  inputs,
  targets: labels,
  loss: "cross_entropy",
};

const forward = await service.POST("/v1/forward", { body: problem });
assert(forward.data, forward.error?.detail);
const residuals = forward.data.outputs.map((row, n) => row.map((s, k) => s - Number(k === labels[n])));
const byHand = [0, 1].map((i) =>
  [0, 1, 2].map((k) => residuals.reduce((sum, row, n) => sum + inputs[n]![i]! * row[k]!, 0) / inputs.length),
);

const gradients = await service.POST("/v1/gradients", { body: { ...problem, check: true } });
assert(gradients.data, gradients.error?.detail);
gradients.data.layers![0]!.grad_weights.forEach((row, i) =>
  row.forEach((entry, k) => assert(Math.abs(entry - byHand[i]![k]!) < 1e-12)),
);
console.log(`by hand as by the service; differences of the loss are within ${gradients.data.check?.max_abs_error}`);

const descent = await service.POST("/v1/steps", { body: { ...problem, learning_rate: 0.5, count: 20 } });
assert(descent.data, descent.error?.detail);
const { losses } = descent.data;
assert(losses.at(-1)! < losses[0]!);
console.log(`20 steps: the loss falls from ${losses[0]!.toFixed(4)} to ${losses.at(-1)!.toFixed(4)}`);
