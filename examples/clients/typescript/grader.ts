// A grader: draws an exercise, hands out a token for it, and marks a student's answers and a class's.
//
// usage: node built/grader.js ADDRESS KEY

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./gradmark.js";

type Grade = components["schemas"]["GradeReply"];
type Problem = components["schemas"]["ForwardBody"];

const [baseUrl = "", key = ""] = process.argv.slice(2);
const teacher = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
const path = { kind: "softmax_forward" } as const;

const exercise = await teacher.GET("/v1/exercises/{kind}", { params: { path, query: { seed: 7 } } });
assert(exercise.data, exercise.error?.detail);
console.log(exercise.data.prompt);
const { seed } = exercise.data;
const granted = await teacher.POST("/v1/exercises/{kind}/tokens", {
  params: { path },
  body: { seed, feedback: "diagnosis", expires_in: 3600 },
});
assert(granted.data, granted.error?.detail);
const { token } = granted.data;

// a student who leaves out the softmax; with the token there is no need of a key
const student = createClient<paths>({ baseUrl });
const found = preActivations(exercise.data.problem);
const answers = { Z: found, S: found };
const grade = await student.POST("/v1/grades", { body: { token, answers } });
assert(grade.data, grade.error?.detail);
for (const part of grade.data.parts) {
  console.log(`${part.quantity}: ${part.verdict}, ${part.score.toFixed(2)}: ${part.message}`);
}
assert.deepEqual(grade.data.parts.map((part) => part.verdict), ["correct", "incorrect"]);

// the token's level is the highest that is shown
const refused = await student.POST("/v1/grades", { body: { token, answers, feedback: "full" } });
assert.equal(refused.error?.status, 403);

const handedIn = { Ada: JSON.stringify(found), Ben: found[0]![0]!, Cleo: "?" };
const lines = [
  { defaults: { exercise: { ...path, seed }, feedback: "verdict" } },
  ...Object.entries(handedIn).map(([id, Z]) => ({ id, answers: { Z } })),
];
const received = await teacher.POST("/v1/grades/bulk", {
  body: lines.map((line) => JSON.stringify(line)).join("\n"),
  bodySerializer: (text) => text,
  headers: { "Content-Type": "application/jsonl" },
  parseAs: "text",
});
assert(received.data, received.error?.detail);
const marked = received.data.trimEnd().split("\n").map((line) => JSON.parse(line));
const { summary } = marked.pop();
const verdicts = marked.map(({ grade }: { grade: Grade }) => grade.parts[0]?.verdict);
console.log(verdicts);
assert.deepEqual(verdicts, ["correct", "wrong_shape", "unreadable"]);
assert.equal(summary.lines, verdicts.length);

function preActivations({ network, inputs }: Problem): number[][] {
  const { weights, bias } = network.layers[0]!;
  const sum = (sample: number[], k: number) => sample.reduce((z, x, i) => z + x * weights[i]![k]!, bias?.[k] ?? 0);
  return inputs.map((sample) => weights[0]!.map((_, k) => Number(sum(sample, k).toFixed(4))));
}
