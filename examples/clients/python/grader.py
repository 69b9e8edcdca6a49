"""A grader: draws an exercise, hands out a token for it, and marks a student's answers and a class's.

usage: python grader.py ADDRESS KEY
"""

import io
import json
import sys

from gradmark_client import AuthenticatedClient, Client
from gradmark_client.api.marking import grade_answers, grade_lines, mint_token, read_exercise
from gradmark_client.models import (
    ExerciseReply,
    ForwardBody,
    GradeBody,
    GradeBodyAnswers,
    GradeReply,
    KindName,
    Level,
    ProblemDocument,
    TokenBody,
    TokenReply,
)
from gradmark_client.types import File

KIND = KindName.SOFTMAX_FORWARD


def main(address: str, key: str) -> None:
    """Be the teacher, then the student, then the teacher again."""
    teacher = AuthenticatedClient(base_url=address, token=key)
    exercise = read_exercise.sync(KIND, client=teacher, seed=7)
    assert isinstance(exercise, ExerciseReply), exercise
    print(exercise.prompt)
    granted = mint_token.sync(
        KIND, client=teacher, body=TokenBody(seed=exercise.seed, feedback=Level.DIAGNOSIS, expires_in=3600)
    )
    assert isinstance(granted, TokenReply), granted

    # a student who leaves out the softmax; with the token there is no need of a key
    student = Client(base_url=address)
    found = pre_activations(exercise.problem)
    answers = GradeBodyAnswers.from_dict({"Z": found, "S": found})
    grade = grade_answers.sync(client=student, body=GradeBody(token=granted.token, answers=answers))
    assert isinstance(grade, GradeReply), grade
    for part in grade.parts:
        print(f"{part.quantity}: {part.verdict}, {part.score:.2f}: {part.message}")
    assert [part.verdict for part in grade.parts] == ["correct", "incorrect"]

    # the token's level is the highest that is shown
    too_much = GradeBody(token=granted.token, answers=answers, feedback=Level.FULL)
    refused = grade_answers.sync(client=student, body=too_much)
    assert isinstance(refused, ProblemDocument), refused
    assert refused.status == 403

    handed_in: dict[str, object] = {"Ada": str(found), "Ben": found[0][0], "Cleo": "?"}
    defaults = {"exercise": {"kind": KIND, "seed": exercise.seed}, "feedback": "verdict"}
    lines: list[dict[str, object]] = [{"defaults": defaults}]
    lines += [{"id": name, "answers": {"Z": answer}} for name, answer in handed_in.items()]
    sent = io.BytesIO("\n".join(map(json.dumps, lines)).encode())
    received = grade_lines.sync_detailed(client=teacher, body=File(payload=sent))
    *marked, last = [json.loads(line) for line in received.content.splitlines()]
    verdicts = {line["id"]: str(GradeReply.from_dict(line["grade"]).parts[0].verdict) for line in marked}
    print(verdicts)
    assert verdicts == {"Ada": "correct", "Ben": "wrong_shape", "Cleo": "unreadable"}
    assert last["summary"]["lines"] == len(handed_in)


def pre_activations(problem: ForwardBody) -> list[list[float]]:
    """Compute Z = X·W + b to four decimals."""
    [layer] = problem.network.layers
    bias = layer.bias or [0.0] * len(layer.weights[0])
    return [
        [
            round(sum(x * row[k] for x, row in zip(sample, layer.weights, strict=True)) + bias[k], 4)
            for k in range(len(bias))
        ]
        for sample in problem.inputs
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
