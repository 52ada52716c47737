"""Channels-last bodies compute what the plain ones do, and transpose no more than they have to."""

import numpy as np
import pytest
from channels_last_graphs import FIXED, IN, OUT, assert_same, assert_same_graph, count, graph, parsed
from hypothesis import given, settings
from hypothesis import strategies as st

from dni_runtime.cuda.channels_last.rewrite import channels_last, channels_last_share


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        "auto_pad = 'SAME_UPPER', strides = [2, 2]",
        "auto_pad = 'SAME_LOWER', kernel_shape = [3, 3]",
        "auto_pad = 'VALID'",
        "pads = [0, 1, 2, 3]",
        "dilations = [2, 1], pads = [2, 1, 2, 1]",
        "strides = [2, 1], pads = [1, 1, 1, 1]",
    ],
)
@pytest.mark.parametrize("group", [1, 2, 4])
def test_convolutions(attributes: str, group: int):
    attributes = attributes.replace("'", '"') + (", " if attributes else "") + f"group = {group}"
    start = f"(float[N,4,H,W] x, float[8,{4 // group},3,3] w, float[8] b"
    new = assert_same_graph(f"{start}{OUT} {{ y = Conv <{attributes}> (x, w, b) }}", 2, wanted=set())
    assert count(new) == {"Transpose": 2, "NhwcConv": 1}
    assert [(o.domain, o.version) for o in new.opset_import] == [("", 20), ("com.microsoft", 1)]


def along(nodes: str, constants: str = "", weights: str = "", start: str = IN, out: str = OUT) -> str:
    return graph(f"{nodes} y = Transpose <perm = [0,2,3,1]> (z)", constants, weights, start, out)


# Nodes after a convolution, before what wants their result channels-last: the image alone is transposed.
ALONG = {
    "unary": along("r = LeakyRelu <alpha = 0.2> (c) s = Sigmoid(r) e = Exp(s) z = Neg(e)"),
    "clip": along("z = Clip(c, low, high)", "float low = {0}, float high = {1}"),
    "residual": along("z = Add(c, x)"),
    "image at the end": along("d = Conv <pads: ints = [1,1,1,1]> (c, w) e = Mul(d, c) z = Sub(x, e)"),
    "where": along("g = Greater(c, zero) z = Where(g, x, zero)", "float zero = {0}"),
    "constant": along("z = Mul(c, f)", "float[4,1,1] f = {1,2,3,4}"),
    "constant of one element": along("z = Mul(c, f)", "float[1,1] f = {3}"),
    "constant along the width": along("z = Mul(c, f)", "float[5] f = {1,2,3,4,5}", start=FIXED),
    "concat": along("z = Concat <axis = 1> (c, x, c)"),
    "concat of heights": along("z = Concat <axis = -2> (c, x)"),
    "concat of images": along("z = Concat <axis = 0> (c, x)"),
    "concat with a constant": along(
        "z = Concat <axis = 1> (c, f)", "float[2,1,1,1] f = {1,2}", start="(float[2,4,1,1] x, float[4,4,3,3] w"
    ),
    "resize": along('z = Resize <mode = "nearest"> (c, , s)', "float[4] s = {1,1,2,3}"),
    "resize to": along('z = Resize <mode = "nearest"> (c, , , s)', "int64[4] s = {2,4,9,7}", start=FIXED),
    "pad": along("z = Pad(c, p)", "int64[8] p = {0,1,2,3,1,0,3,2}"),
    "pad by reflection": along('z = Pad <mode = "reflect"> (c, p)', "int64[8] p = {0,0,2,3,0,0,1,2}"),
    "split": along("p, q = Split <axis = 1> (c, n) z = Concat <axis = 1> (q, p)", "int64[2] n = {1,3}"),
    "slice": along("z = Slice(c, s, e, a)", "int64[2] s = {1,0}, int64[2] e = {9,3}, int64[2] a = {1,-1}"),
    "slice of int32": along("z = Slice(c, s, e, a)", "int32[2] s = {0,1}, int32[2] e = {1,9}, int32[2] a = {0,-2}"),
    "slice backwards": along(
        "z = Slice(c, s, e, a, b)", "int64[1] s = {-1}, int64[1] e = {-9}, int64[1] a = {1}, int64[1] b = {-1}"
    ),
    "softmax": along("z = Softmax <axis = 1> (c)"),
    "mean of channels": along("m = ReduceMean(c, a) z = Mul(c, m)", "int64[1] a = {1}"),
    "mean of height": along("m = ReduceMean(c, a) z = Mul(c, m)", "int64[1] a = {-2}"),
    "gate": along(
        "m = ReduceMean(c, a) s = Conv(m, v) r = Relu(s) g = Sigmoid(r) z = Mul(c, g)",
        "int64[2] a = {-1,-2}",
        ", float[4,4,1,1] v",
    ),
    "gate of matrices": along(
        "m = ReduceMean <keepdims = 0> (c, a) s = MatMul(m, v) u = Unsqueeze(s, a) z = Mul(c, u)",
        "int64[2] a = {2,3}",
        ", float[4,4] v",
    ),
}


@pytest.mark.parametrize("name", ALONG)
def test_what_runs_channels_last(name: str):
    # One gate comes from matrices, and four axes are made of two.
    assert_same_graph(ALONG[name], 2 if name == "gate of matrices" else 1)


def test_models_from_before_opset_18_stay():
    body = parsed(graph("y = Relu(c)"), 17)
    assert channels_last(body) == (body, frozenset())
    assert channels_last_share(body) == 0


# Nodes that want plain values, and how often the graph transposes for them.
APART = {
    "depth to space": (graph("y = DepthToSpace <blocksize = 2> (c)"), 2),
    "shuffled and back": (
        graph("d = DepthToSpace <blocksize = 2> (c) s = SpaceToDepth <blocksize = 2> (d) y = Mul(s, c)"),
        2,  # the product is plain, as one of its operands and the output are
    ),
    "reshape": (graph("y = Reshape(c, s)", "int64[4] s = {0,2,2,-1}"), 2),
    "instance norm": (graph("y = InstanceNormalization(c, s, b)", weights=", float[4] s, float[4] b"), 2),
    "transposed convolution": (graph("y = ConvTranspose(c, v)", weights=", float[4,2,2,2] v"), 2),
    "pool": (graph("m = MaxPool <kernel_shape = [2,2]> (c) y = AveragePool <kernel_shape = [2,2]> (m)"), 2),
    "bilinear": (graph('y = Resize <mode = "linear"> (c, , s)', "float[4] s = {1,1,2,2}"), 2),
    "resize to what is computed": (
        graph('n = Shape(c) m = Mul(n, f) y = Resize <mode = "nearest"> (c, , , m)', "int64[4] f = {1,1,2,3}"),
        2,
    ),
    "resize axes": (graph('y = Resize <mode = "nearest", axes = [3, 2]> (c, , s)', "float[2] s = {2,3}"), 2),
    "pad axes": (graph("y = Pad(c, p, , a)", "int64[4] p = {1,2,3,4}, int64[2] a = {-1,1}"), 2),
    "slice without axes": (graph("y = Slice(c, s, e)", "int64[3] s = {0,1,2}, int64[3] e = {1,9,4}"), 2),
    "computed pads": (
        graph("n = Shape(c) z = Sub(n, n) p = Concat <axis = 0> (z, z) y = Pad(c, p)"),
        2,
    ),
    "mean without height": (
        graph("m = ReduceMean <keepdims = 0> (c, a) y = Unsqueeze(m, a)", "int64[1] a = {2}"),
        2,
    ),
    "both ways": (
        graph("i = InstanceNormalization(c, s, b) r = Relu(c) d = Conv(r, w) e = Conv(i, w) y = Add(d, e)").replace(
            OUT, ", float[4] s, float[4] b" + OUT
        ),
        4,
    ),
    "unknown rank": (
        graph("n = Shape(c) k = Compress(n, t) r = Reshape(c, k) y = Relu(r)", "bool[4] t = {1,1,1,1}"),
        2,
    ),
    "transposed by the network": (
        graph(
            "t = Transpose <perm = [0,2,3,1]> (c) m = MatMul(t, v) u = Transpose <perm = [0,3,1,2]> (m)"
            "d = Conv(u, w) y = Relu(d)",
            weights=", float[4,4] v",
        ),
        2,  # its own two are gone
    ),
}


@pytest.mark.parametrize("name", APART)
def test_what_stays_plain(name: str):
    assert_same_graph(*APART[name])


@pytest.mark.parametrize(
    ("declared", "start", "goes"),
    [
        ("float[4,1,1] f", IN, True),
        ("float[1,4,1,1] f", IN, True),
        ("float[5] f", FIXED, True),
        ("float[6,5] f", FIXED, True),
        ("float[6,1] f", FIXED, True),
        ("float f", IN, False),
        ("float[1] f", IN, False),
        ("float[2,1,1,1] f", FIXED, False),  # the same both ways
    ],
)
def test_weights_that_are_broadcast(declared: str, start: str, goes: bool):
    text = along("z = Mul(f, c)", weights=f", {declared}", start=start)
    assert_same_graph(text, 1, wanted={"f"} if goes else set())


@pytest.mark.parametrize(
    "nodes",
    ["f = Reshape(s, r) z = PRelu(c, f)", "g = Unsqueeze(s, a) f = Unsqueeze(g, b) z = PRelu(c, f)"],
)
def test_numbers_of_channels_need_no_reshape(nodes: str):
    constants = "int64[4] r = {1,-1,1,1}, int64[1] a = {1}, int64[2] b = {0,3}"
    new = assert_same_graph(along(nodes, constants, ", float[4] s"), 1, wanted=set())
    assert count(new) == {"Transpose": 1, "NhwcConv": 1, "PRelu": 1, "Identity": 1}
    assert not new.graph.initializer


def test_shapes_need_no_transpose():
    out = ") => (float[a,b,c,d] y, int64[4] s, int64[2] t, int64[1] u)"
    nodes = "s = Shape(c) t = Shape <start = 1, end = 3> (c) u = Shape <start = -2, end = -1> (c) z = Relu(c)"
    new = assert_same_graph(along(nodes, out=out), 1)
    assert count(new)["Gather"] == 3


def test_tied_weights_are_transposed_for_what_wants_them_plain():
    assert_same_graph(graph("d = ConvTranspose(c, w) y = Relu(d)"), 3, wanted=set())
    assert_same_graph(graph("m = ReduceMean <keepdims = 0> (w) y = Add(c, m)"), 3, wanted=set())
    # Its first use decides for a weight that no convolution has.
    mixed = {"weights": ", float[6,5] f", "start": FIXED}
    text = along("i = ReduceSum(f, a) d = Mul(c, f) z = Add(d, i)", "int64[1] a = {0}", **mixed)
    assert_same_graph(text, 3, wanted=set())
    text = along("d = Mul(c, f) i = ReduceSum(f, a) z = Add(d, i)", "int64[1] a = {0}", **mixed)
    assert_same_graph(text, 3, wanted={"f"})


@pytest.mark.parametrize(
    "text",
    [
        "(float[N,4,L] x, float[4,4,3] w) => (float[a,b,c] y) { y = Conv(x, w) }",
        "(float[N,4,6,6,6] x, float[4,4,3,3,3] w) => (float[a,b,c,d,e] y) { y = Conv(x, w) }",
        "(float[N,4,H,W] x, float[36,4] w) => (float[a,b,c,d] y) <int64[4] s = {4,4,3,3}>"
        "{ v = Reshape(w, s) y = Conv(x, v) }",
        "(float[N,4,H,W] x, float[4,4,3,3] w) => (float[a,b,c,d] y) { v = Identity(w) y = Conv(x, v) }",
        "(float[N,4,H,W] x, float[4] w) => (float[a,b,c,d] y) <float[4,1,1] f = {1,2,3,4}> { y = Mul(x, f) }",
    ],
)
def test_other_convolutions_stay(text: str):
    body = parsed(text)
    assert channels_last(body) == (body, frozenset())
    assert channels_last_share(body) == 0


def test_constant_weights():
    new = assert_same_graph(
        "(float[N,1,H,W] x) => (float[a,b,c,d] y) <float[1,1,1,3] w = {1,2,3}> { y = Conv(x, w) }", 2
    )
    assert count(new) == {"Transpose": 2, "NhwcConv": 1}
    assert not new.graph.input[1:]


def test_share_counts_weights_of_rewritten_convolutions():
    text = graph(
        "d = Conv(c, v, b) e = ConvTranspose(d, t) y = Relu(e)",
        weights=", float[2,4,1,1] v, float[2] b, float[2,9,1,1] t",
    )
    assert channels_last_share(parsed(text)) == pytest.approx((144 + 8 + 2) / (144 + 8 + 2 + 18))


# Each makes a value of 4 channels from one or two others, and keeps height and width.
STEPS = [
    "{0} = Conv <pads: ints = [1,1,1,1]> ({1}, w)",
    "{0} = Conv <pads: ints = [1,1,1,1], group = 4> ({1}, v)",
    "{0} = Relu({1})",
    "{0} = Add({1}, {2})",
    "{0} = Mul({1}, f)",
    "{0} = Mul({1}, g)",
    "{0}j = Concat <axis = 1> ({1}, {2}) {0}, {0}k = Split <axis = 1, num_outputs = 2> ({0}j)",
    "{0} = InstanceNormalization({1}, b, b)",
    "{0}p = ReduceMean({1}, hw) {0} = Mul({2}, {0}p)",
    "{0}p = ReduceMean <keepdims = 0> ({1}, hw) {0}q = Unsqueeze({0}p, hw) {0} = Add({2}, {0}q)",
    "{0}d = DepthToSpace <blocksize = 2> ({1}) {0} = SpaceToDepth <blocksize = 2> ({0}d)",
    "{0}t = Transpose <perm = [0,2,3,1]> ({1}) {0}u = Softplus({0}t) {0} = Transpose <perm = [0,3,1,2]> ({0}u)",
    '{0}s = Shape({1}) {0} = Resize <mode = "nearest"> ({2}, , , {0}s)',
    '{0}p = Pad <mode = "reflect"> ({1}, pads) {0} = AveragePool <kernel_shape = [2,2]> ({0}p)',
]


@settings(max_examples=100, derandomize=True, print_blob=False)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=12))
def test_any_order_of_nodes(steps: list[tuple[str, int, int]]):
    made, nodes = ["x", "c"], []
    for number, (step, first, second) in enumerate(steps):
        earlier = [*made]
        made.append(f"n{number}")
        nodes.append(step.format(made[-1], *(earlier[-1 - i % len(earlier)] for i in (first, second))))
    text = graph(
        " ".join([*nodes, f"y = Tanh({made[-1]})"]),
        "int64[2] hw = {2,3}, int64[8] pads = {0,0,1,0,0,0,0,1}",
        ", float[4,1,3,3] v, float[4,1,1] f, float[6,5] g, float[4] b",
        start=FIXED,
    )
    body = parsed(text)
    rng = np.random.default_rng(1)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in body.graph.input[1:]}
    weights = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    assert_same(body, [weights], [rng.random((2, 4, 6, 5), np.float32)], tolerance=1e-5)
