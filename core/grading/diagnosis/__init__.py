"""Why an answer is wrong: the mistakes that predict its numbers.

Read in this order: `suspects` lists what can have gone wrong, `hypothesis` says what an explanation is, `finished`
what becomes of a finished quantity, `effort` what may be spent, `search` finds explanations,
and `choice` names one.
"""
