"""Forms of mathematical systems and of their prompts."""

from core.answers.forms.form import Example, Form, Rewrite
from core.answers.forms.python import MATRIX, VECTOR

_PROMPT = r"(?:>>>|in ?\[[0-9 ]*+\]:=?|ipdb>|\(pdb\)|julia>|octave:[0-9]++>|>>|sage:|mysql>)"
_CONTINUED = r"(?:\n[ ]*+(?:\.\.\.|\.\.\.:|\+)[ ][^\n]*+)*+"
# lines follow that were printed: more than a prompt at the end
_ANSWERED = rf"(?=\s*+(?!{_PROMPT}\s*+\Z|>\s*+\Z)\S)"

SYSTEMS = (
    Form(
        name="prompts",
        title="Sessions: what was typed after >>>, In [3]: and other prompts is left out if anything was printed",
        examples=(
            Example(">>> dW\narray([[ 0.0636, -0.0636],\n       [-0.4774,  0.4774]])\n>>> ", MATRIX),
            Example("In [3]: X.T @ (S - Y) / 2\nOut[3]: \narray([7.19, 7.2])", (7.19, 7.2)),
            Example("> s - y/3\n[1] 7.19 7.20", (7.19, 7.2)),
            Example(">>> [7.19, 7.2]", (7.19, 7.2)),
            Example("(Pdb) p s\narray([7.19, 7.2])", (7.19, 7.2)),
        ),
        starts=(
            Rewrite(rf"{_PROMPT}[^\n]*+{_CONTINUED}{_ANSWERED}", "input"),
            Rewrite(rf">[ ]++[a-z.][^\n]*+{_CONTINUED}{_ANSWERED}", "input"),
            Rewrite(rf"(?:(?:{_PROMPT}|>(?=\s)|(?:out ?)?\[[0-9]++\](?://[a-z]++)?[:=]++)[ ]*+)++"),
        ),
    ),
    Form(
        name="matlab",
        title="MATLAB and Octave: rows apart by semicolons, displays with a common factor or in groups of columns",
        examples=(
            Example("[0.0636 -0.0636; -0.4774 0.4774]", MATRIX),
            Example("[0.0636 -0.0636; ...\n -0.4774 0.4774]", MATRIX),
            Example("dW =\n\n    0.0636   -0.0636\n   -0.4774    0.4774\n", MATRIX),
            Example("dW =\n\n   1.0e-03 *\n\n    0.0636   -0.0636\n", (0.0636e-3, -0.0636e-3)),
            Example(
                "S =\n\n  Columns 1 through 3\n\n    7.19    7.20    7.22\n\n  Columns 4 through 5\n\n   7.23   7.16\n",
                VECTOR,
            ),
            Example("dW = 2×2\n    0.0636   -0.0636\n   -0.4774    0.4774\n", MATRIX),
            Example(" Columns 1 and 2:\n\n   0.0636  -0.0636\n  -0.4774   0.4774\n", MATRIX),
        ),
        starts=(
            Rewrite(
                r"columns?[ ]++[0-9]++[ ]*+(?:(?:through|thru|to|and|-|:)[ ]*+[0-9]++)?[ ]*+:?[ ]*+(?=\n|\Z)", "columns"
            ),
            Rewrite(r"[0-9]++(?:\.[0-9]*+)?(?:e[+-]?[0-9]++)?[ ]*+\*[ ]*+(?=\n|\Z)", "factor"),
        ),
    ),
    Form(
        name="r",
        title="R: vectors and matrices with their counters",
        examples=(
            Example("[1] 7.19 7.20 7.22\n[4] 7.23 7.16", VECTOR),
            Example("        [,1]    [,2]\n[1,]  0.0636 -0.0636\n[2,] -0.4774  0.4774", MATRIX),
            Example("S <- c(7.19, 7.20, 7.22, 7.23, 7.16)", VECTOR),
            Example("rbind(c(0.0636, -0.0636), c(-0.4774, 0.4774))", MATRIX),
            Example("     [,1]\n[1,] 0.0636\n[2,] -0.4774\n     [,2]\n[1,] -0.0636\n[2,] 0.4774", MATRIX),
        ),
        starts=(
            Rewrite(r"(?:\[,[0-9]++\][ ]*+)++(?=\n)", "columns"),
            Rewrite(r"\[[0-9]++,\](?=[ ])"),
            Rewrite(r"\[[0-9]++\](?=[ ]++(?:[+.0-9-]|nan\b|inf\b))", "counter"),
        ),
        pieces=(Rewrite(r"(?<!matrix\()(?:c|rbind|list)(?=\()"),),
    ),
    Form(
        name="julia",
        title="Julia: displays of vectors and matrices, rationals",
        examples=(
            Example("2×2 Matrix{Float64}:\n  0.0636  -0.0636\n -0.4774   0.4774", MATRIX),
            Example("5-element Vector{Float64}:\n 7.19\n 7.2\n 7.22\n 7.23\n 7.16", VECTOR),
            Example("Float32[7.19, 7.2]", (7.19, 7.2)),
            Example("1//4", 0.25),
        ),
        starts=(
            Rewrite(r"[0-9]++(?:[x×][0-9]++)++(?: [a-z][^\n]*+)?[ ]*+(?=\n)"),
            Rewrite(r"[0-9]++-element [^\n]*:[ ]*+(?=\n)", "vector"),
        ),
        pieces=(Rewrite(r"(?:any|real|number|(?:float|int)[0-9]*+)(?=\[)"),),
    ),
    Form(
        name="mathematica",
        title="Mathematica: lists in curly brackets, *^ for powers of ten",
        examples=(
            Example("{{0.0636, -0.0636}, {-0.4774, 0.4774}}", MATRIX),
            Example("Out[5]= {6.36*^-2, 7.2`}", (0.0636, 7.2)),
        ),
    ),
)
