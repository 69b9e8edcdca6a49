"""Why an answer is wrong: the mistakes that predict its numbers.

Read in this order: `suspects` lists what can have gone wrong, `orders` and `factors` what becomes of a finished
answer, `hypothesis` says what an explanation is, `effort` what may be spent, `search` finds explanations, and
`choice` names one.
"""
