"""Forms of Python and its array libraries."""

from core.answers.forms.form import Example, Form, Rewrite

MATRIX = ((0.0636, -0.0636), (-0.4774, 0.4774))
VECTOR = (7.19, 7.2, 7.22, 7.23, 7.16)

PYTHON = (
    Form(
        name="lists",
        title="Lists of JSON, Python and C, comments and a full stop at the end left out",
        examples=(
            Example("[[0.0636, -0.0636],\n [-0.4774, 0.4774]]", MATRIX),
            Example("dW = [(0.0636, -0.0636),  # first row\n      (-0.4774, 0.4774)]", MATRIX),
            Example("Loss: 1.5279", 1.5279),
            Example("{0.0636f, -0.0636f}", (0.0636, -0.0636)),
            Example("[[0.0636, -0.0636], [-0.4774, 0.4774]].", MATRIX),
        ),
        pieces=(Rewrite(r"#[^\n]*+"), Rewrite(r"(?<!\.)\.(?=\s*+\Z)")),
    ),
    Form(
        name="numpy",
        title="NumPy: str and repr of arrays and numbers, lines of any width",
        examples=(
            Example("[[ 0.0636 -0.0636]\n [-0.4774  0.4774]]", MATRIX),
            Example("array([[ 0.0636, -0.0636],\n       [-0.4774,  0.4774]], dtype=float32)", MATRIX),
            Example("[np.float64(7.19), np.float64(7.2)]", (7.19, 7.2)),
            Example("[[6.36e-02\n  1.00e+00]\n [-0. 2.]]", ((0.0636, 1.0), (-0.0, 2.0))),
            Example("DW = dw(x)\nprint(DW)\n[[0.1 0. ]\n[0.  0.1]]", ((0.1, 0.0), (0.0, 0.1))),
        ),
        starts=(
            Rewrite(
                r"(?:[^\W0-9][\w.]*+[ ]*+=[^=\n][^\n]*+\n\s*+)*+"  # assignments before it
                r"(?:print|disp|display|println)[ ]*+\([^\n]*+(?=\n\s*+\S)",
                "input",
            ),
        ),
        wrappers=(
            *("array", "asarray", "matrix", "ndarray"),
            *("float", "float16", "float32", "float64", "float128", "longdouble", "half", "single", "double"),
            *("int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        ),
        modules=("np", "numpy", "onp", "cp", "cupy", "mx.nd", "nd"),
    ),
    Form(
        name="torch",
        title="PyTorch tensors and parameters, libtorch in C++",
        examples=(
            Example(
                "tensor([[ 0.0636, -0.0636],\n        [-0.4774,  0.4774]], device='cuda:0', grad_fn=<MmBackward0>)",
                MATRIX,
            ),
            Example("Parameter containing:\ntensor([7.1900, 7.2000], requires_grad=True)", (7.19, 7.2)),
            Example(" 0.0636 -0.0636\n-0.4774  0.4774\n[ CPUFloatType{2,2} ]", MATRIX),
            Example("0.01 *\n 719\n 720\n[ CPUFloatType{2} ]", (7.19, 7.2)),
            Example("Columns 1 to 3 7.19  7.20  7.22\n\nColumns 4 to 5 7.23  7.16\n[ CPUFloatType{1,5} ]", VECTOR),
        ),
        starts=(
            Rewrite(r"(?:parameter|variable) containing:"),
            Rewrite(r"columns [0-9]++ to [0-9]++(?=[ ]*+[+-]?[0-9.])", "columns"),
        ),
        pieces=(
            Rewrite(r"\[ ?[\w.]*+\{[0-9]++\}[^\]\n]*+\]|\[ ?[\w.]*+ of size [0-9]++(?: [^\]\n]*+)?\]", "vector"),
            Rewrite(r"\[ ?[\w.]*+\{[0-9, ]*+\}[^\]\n]*+\]|\[ ?[\w.]*+ of size [^\]\n]*+\]"),
        ),
        wrappers=("tensor", "Tensor", "FloatTensor", "DoubleTensor", "Parameter"),
        modules=("torch", "nn", "torch.nn", "nn.parameter"),
    ),
    Form(
        name="jax",
        title="JAX arrays",
        examples=(
            Example("Array([[ 0.0636, -0.0636],\n       [-0.4774,  0.4774]], dtype=float32)", MATRIX),
            Example("DeviceArray([7.19, 7.2], dtype=float32, weak_type=True)", (7.19, 7.2)),
        ),
        wrappers=("Array", "DeviceArray", "_DeviceArray", "ShardedDeviceArray", "ArrayImpl"),
        modules=("jnp", "jax.numpy", "jax"),
    ),
    Form(
        name="tensorflow",
        title="TensorFlow tensors and variables",
        examples=(
            Example("tf.Tensor(\n[[ 0.0636 -0.0636]\n [-0.4774  0.4774]], shape=(2, 2), dtype=float32)", MATRIX),
            Example(
                "<tf.Variable 'W:0' shape=(2, 2) dtype=float32, numpy=\n"
                "array([[ 0.0636, -0.0636],\n       [-0.4774,  0.4774]], dtype=float32)>",
                MATRIX,
            ),
            Example("<tf.Tensor: shape=(), dtype=float32, numpy=1.5279>", 1.5279),
            Example(
                "<Variable path=dense/kernel, shape=(2, 2), dtype=float32, "
                "value=[[ 0.0636 -0.0636]\n [-0.4774  0.4774]]>",
                MATRIX,
            ),
            Example("tf.constant([7.19, 7.2], dtype=tf.float32)", (7.19, 7.2)),
        ),
        pieces=(
            Rewrite(r"<(?:tf\.|keras|variable\b|eagertensor)[^<>\n]*?(?:numpy|value)=", "around"),
            Rewrite(r"<NDArray [^<>\n]*+>"),
        ),
        wrappers=("constant", "Variable"),
        modules=("tf", "tensorflow"),
    ),
    Form(
        name="sympy",
        title="SymPy and mpmath matrices",
        examples=(
            Example("Matrix([[0.0636, -0.0636], [-0.4774, 0.4774]])", MATRIX),
            Example("Matrix([[1/2], [-1/4]])", ((0.5,), (-0.25,))),
            Example("matrix(\n[['0.0636', '-0.0636'],\n ['-0.4774', '0.4774']])", MATRIX),
            Example("mpf('0.25')", 0.25),
            Example("[Fraction(1, 4), Rational(-1, 8)]", (0.25, -0.125)),
        ),
        wrappers=(
            *("Matrix", "ImmutableMatrix", "ImmutableDenseMatrix", "MutableDenseMatrix", "Float", "Integer"),
            *("mpf", "Decimal"),
        ),
        modules=("sympy", "sp", "mpmath", "mp"),
    ),
    Form(
        name="pandas",
        title="pandas: Series and DataFrames; index and header are left out",
        examples=(
            Example("0    7.19\n1    7.20\n2    7.22\n3    7.23\n4    7.16\nName: S, dtype: float64", VECTOR),
            Example("        0       1\n0  0.0636 -0.0636\n1 -0.4774  0.4774", MATRIX),
            Example("        a       b\n0  0.0636 -0.0636\n1 -0.4774  0.4774\n\n[2 rows x 2 columns]", MATRIX),
            Example(",0,1\n0,0.0636,-0.0636\n1,-0.4774,0.4774\n", MATRIX),
            Example("        0  \\\n0  0.0636   \n1 -0.4774   \n\n        1  \n0 -0.0636  \n1  0.4774  ", MATRIX),
        ),
        starts=(
            Rewrite(r"(?:name: [^\n]*?, )?(?:length: [0-9]++, )?dtype: [a-z0-9]++", "vector"),
            Rewrite(r",(?=0(?:,[0-9]++)*+\n)"),  # the header of to_csv
            Rewrite(r"\[[0-9]++ rows x [0-9]++ columns\]"),
        ),
        pieces=(Rewrite(r"\\[ ]*+(?=\n)", "wrapped"),),
    ),
)
