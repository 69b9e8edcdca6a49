"""Fast ways to compute what rules of the table define, on plain arrays: they know no problem and check nothing."""
