"""Forms of documents, tables and spreadsheets."""

from core.answers.forms.form import Example, Form, Rewrite
from core.answers.forms.python import MATRIX, VECTOR

_PLAIN_TAGS = (
    "html|head|body|thead|tbody|tfoot|caption|colgroup|col|div|p|ul|ol|li|span|b|i|strong|em|font|center"
    "|math|mn|mo|mrow|pre|code"
)

DOCUMENTS = (
    Form(
        name="latex",
        title="LaTeX matrices and arrays",
        examples=(
            Example(r"\begin{pmatrix} 0.0636 & -0.0636 \\ -0.4774 & 0.4774 \end{pmatrix}", MATRIX),
            Example(
                "$$\\left[\\begin{array}{cc}\n0.0636 & -0.0636 \\\\\n-0.4774 & 0.4774\n\\end{array}\\right]$$",
                MATRIX,
            ),
            Example(r"\frac{1}{4}", 0.25),
            Example(
                "\\begin{tabular}{lrr}\n\\toprule\n & a & b \\\\\n\\midrule\n0 & 0.0636 & -0.0636 \\\\\n"
                "1 & -0.4774 & 0.4774 \\\\\n\\bottomrule\n\\end{tabular}\n",
                MATRIX,
            ),
            Example(r"6.36 \times 10^{-2}", 0.0636),
        ),
        pieces=(
            Rewrite(r"\\begin\{[a-z]*+\*?\}(?:\[[a-z]\])?(?:\{[clr|@ ]*+\})?", "table"),
            Rewrite(r"\\toprule\s++(?=[^\n0-9]*[a-z])[^\n]*+\n\s*+\\midrule"),  # names of columns
            Rewrite(r"\\(?:top|mid|bottom)rule\b(?:\s*+\{\}[ ]*+(?=&))?"),
            Rewrite(r"\\end\{[a-z]*+\*?\}", "/table"),
            Rewrite(r"\\(?:left|right|bigg?[lr]?)[ ]*+\\?[\[\](){}|.]"),
            Rewrite(r"(?:\\(?:\\|cr\b)(?:\[[0-9a-z.]*+\])?[ ]*+)++", ";"),
            Rewrite(r"(?:\\(?:[\[\](),:! ]|;|q?quad\b|hline\b|limits\b|displaystyle\b)|\$)++"),
        ),
    ),
    Form(
        name="markdown",
        title="Markdown and YAML: tables, code fences and items",
        examples=(
            Example("| a | b |\n|---|---:|\n| 0.0636 | -0.0636 |\n| -0.4774 | 0.4774 |", MATRIX),
            Example("```python\n[[0.0636, -0.0636], [-0.4774, 0.4774]]\n```", MATRIX),
            Example("`1.5279`", 1.5279),
            Example("- [0.0636, -0.0636]\n- [-0.4774, 0.4774]", MATRIX),
            Example("• 7.19\n• 7.2", ((7.19,), (7.2,))),
            Example("+--------+---------+\n| 0.0636 | -0.0636 |\n+--------+---------+", (0.0636, -0.0636)),
        ),
        starts=(
            Rewrite(r"(?:```|~~~)[^\n]*+"),
            Rewrite(r"[•‣◦*][ ]++(?=[\[(+0-9.-])"),
            Rewrite(r"(?:\|[ :+]*+-|[+:]?--)[-+=|: ]*+(?=\n|\Z)"),
        ),
        pieces=(Rewrite(r"`++"),),
    ),
    Form(
        name="html",
        title="HTML and MathML tables",
        examples=(
            Example(
                "<table><tr><td>0.0636</td><td>&minus;0.0636</td></tr><tr><td>-0.4774</td><td>0.4774</td></tr></table>",
                MATRIX,
            ),
            Example(
                "<table>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n<tr>\n<td>7.19</td>\n<td>7.2</td>\n</tr>\n</table>",
                (7.19, 7.2),
            ),
            Example("6.36&times;10<sup>-2</sup>", 0.0636),
            Example("<p><b>0.0636</b> -0.0636</p><p>-0.4774 <em>0.4774</em></p>", MATRIX),
            Example("<!-- S --><TABLE><TR><TD>0.0636<TD>-0.0636<TR><TD>-0.4774<TD>0.4774</TABLE>", MATRIX),
        ),
        pieces=(
            Rewrite(r"<(?:table|mtable)(?:[ ][^<>]*+)?>", "table"),
            Rewrite(r"</(?:table|mtable)>", "/table"),
            Rewrite(r"(?:</?m?tr(?:[ ][^<>]*+)?>|</(?:li|p|div)>|<br ?/?>)++", ";"),
            Rewrite(r"<th(?:[ ][^<>]*+)?>\s*+[^\W0-9][^<>]*+</th>", "header"),
            Rewrite(r"(?:</?(?:td|mtd)(?:[ ][^<>]*+)?>|</th>|<th(?:[ ][^<>]*+)?>(?!\s*+[^\W0-9]))++", "|"),
            Rewrite(r"<p>[0-9]++ rows × [0-9]++ columns</p>"),
            Rewrite(rf"(?:<(?!/(?:li|p|div)>)/?(?:{_PLAIN_TAGS})(?:[ ][^<>]*+)?>)++"),
            Rewrite(r"<!--(?:[^-]|-(?!->))*+-->"),
            Rewrite(r"<style[^<>]*+>[^<>]*+</style>"),
            Rewrite(r"(?:&(?:nbsp|ensp|emsp|thinsp|#160|#xa0|lrm|rlm|zwnj|zwj|#8203);)++"),
            Rewrite(r"&(?:minus|ndash|mdash|#8722|#x2212|#8211|#8212|#45);", "-"),
        ),
    ),
    Form(
        name="csv",
        title="Spreadsheets: cells apart by tabs, commas or semicolons, quoted or not, names of columns left out",
        examples=(
            Example("0.0636;-0.0636\n-0.4774;0.4774\n", MATRIX),
            Example("0,0636;-0,0636\n-0,4774;0,4774\n", MATRIX),
            Example('"a","b"\n"0.0636","-0.0636"\n"-0.4774","0.4774"\n', MATRIX),
            Example('"0,0636","-0,0636"\n"-0,4774","0,4774"', MATRIX),
            Example("0.0636\t-0.0636\n-0.4774\t0.4774", MATRIX),
        ),
    ),
    Form(
        name="decimal commas",
        title="Decimal commas outside brackets, where the shape of the quantity tells them from commas between numbers",
        examples=(
            Example("1,5279", 1.5279),
            Example("7,19, 7,2, 7,22, 7,23, 7,16", VECTOR),
            Example("0,0636 -0,0636\n-0,4774 0,4774", MATRIX),
        ),
    ),
    Form(
        name="powers of ten",
        title="Powers of ten and percent",
        examples=(
            Example("6.36*10^-2 72×10⁻¹", (0.0636, 7.2)),
            Example("6.36 x 10^(-2), 72·10**-1", (0.0636, 7.2)),
            Example("719% 720 %", (7.19, 7.2)),
            Example("6.36E-02", 0.0636),
        ),
    ),
    Form(
        name="fractions",
        title="Fractions",
        examples=(Example("1/4, -1/8", (0.25, -0.125)), Example("½ ¼", (0.5, 0.25))),
    ),
    Form(
        name="typeset",
        title="Dashes as minus, spaces and invisible characters of any kind, fullwidth and other digits",
        examples=(
            Example("− 0.0636, \u20127.2", (-0.0636, -7.2)),
            Example("\u202d7.19\u202c \u200b7.2\ufeff", (7.19, 7.2)),
            Example("［１．５，２］", (1.5, 2.0)),
        ),
    ),
)
