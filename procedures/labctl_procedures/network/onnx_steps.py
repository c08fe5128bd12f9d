"""What each operator of an .onnx graph becomes: a layer of the array, part of one, or host work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from labctl_procedures.network import operators as op
from labctl_procedures.network.graph import IMAGE
from labctl_procedures.network.layers import FloatArray, Layer, Pool
from labctl_procedures.network.onnx_graph import GraphReader, Step, Tensor
from labctl_procedures.network.onnx_nodes import NodeFacts


def _convolve(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken, kernel = reader.taken(facts), facts.constant(1)
    if taken.flat or kernel.ndim != 4:
        raise facts.refusal(f"kernel of shape {kernel.shape} does not fit a map of {taken.shape}")
    facts.need({"group": 1, "dilations": [1, 1]})
    if kernel.shape[1] != taken.shape[2]:
        raise facts.refusal(f"kernel of shape {kernel.shape} does not fit a map of {taken.shape}")
    layer = Layer(
        facts.name,
        kernel.transpose(0, 2, 3, 1),
        facts.vector(2, len(kernel)),
        taken.shape,
        stride=facts.pair("strides", [1, 1]),
        padding=facts.pads(),
        weight_scale=reader.scale_of(facts, 1),
    )
    if min(layer.sum_shape) < 1:
        raise facts.refusal(f"its kernel is larger than its input {layer.padded_shape}")
    return _put_layer(reader, facts, layer, taken)


def _multiply(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken, matrix = reader.taken(facts), facts.constant(1)
    facts.need({"transA": 0})
    matrix = matrix if facts.given.get("transB", 0) else matrix.T
    height, width, channels = taken.shape
    if not taken.flat or matrix.ndim != 2 or matrix.shape[1] != taken.features:
        raise facts.refusal(
            f"weights of shape {matrix.shape} (outputs, inputs) do not fit "
            f"{'a vector' if taken.flat else 'an unflattened map'} of {taken.shape}"
        )
    alpha, beta = (float(facts.given.get(key, 1.0)) for key in ("alpha", "beta"))
    scale = reader.scale_of(facts, 1)
    layer = Layer(
        facts.name,
        alpha * matrix.reshape(-1, channels, height, width).transpose(0, 2, 3, 1),
        beta * facts.vector(2, len(matrix)),
        taken.shape,
        weight_scale=None if scale is None else abs(alpha) * scale or None,
    )
    return _put_layer(reader, facts, layer, taken)


def _put_layer(reader: GraphReader, facts: NodeFacts, layer: Layer, taken: Tensor) -> Tensor:
    """Append a layer; what is done to the pixels alone before it, it takes up itself."""
    affine = reader.sole_work(facts)
    is_first = len(reader.nodes) == taken.value == 1
    if is_first and isinstance(affine, op.Affine) and (affine.factor != 0).all():
        reader.nodes.clear()
        moved = np.tensordot(layer.weights, affine.offset, axes=(3, 0)).sum(axis=(1, 2))
        layer = replace(
            layer,
            weights=layer.weights * affine.factor,
            bias=layer.bias + moved,
            border=-affine.offset / affine.factor,
            weight_scale=None,
        )
        taken = replace(taken, value=IMAGE)
    return reader.put(facts, layer, [taken])


def _normalise(reader: GraphReader, facts: NodeFacts) -> Tensor:
    channels = reader.taken(facts).shape[2]
    gamma, beta, mean, variance = (facts.vector(place, channels) for place in (1, 2, 3, 4))
    epsilon = float(facts.given.get("epsilon", 1e-5))
    if (variance + epsilon <= 0).any():
        raise facts.refusal("its variances are not above 0")
    factor = gamma / np.sqrt(variance + epsilon)
    return _affine(reader, facts, 0, op.Affine(factor, beta - mean * factor))


def _affine(reader: GraphReader, facts: NodeFacts, place: int, affine: op.Affine) -> Tensor:
    """Multiply and move channels: in what is before, where it has no other reader or tail yet."""
    taken, before = reader.taken(facts, place), reader.sole_work(facts, place)
    if taken.flat and taken.shape[:2] != (1, 1):
        taken, before = reader.put(facts, op.Flatten(), [taken]), None
    if isinstance(before, op.Affine):
        return reader.change(before.followed_by(affine), taken)
    if not isinstance(before, Layer) or before.relu or before.pool is not None:
        return reader.put(facts, affine, [taken])
    is_moved_only = bool((affine.factor == 1).all())
    folded = replace(
        before,
        weights=before.weights * affine.factor[:, None, None, None],
        bias=before.bias * affine.factor + affine.offset,
        # With a factor each output has a scale of its own: search afresh.
        weight_scale=before.weight_scale if is_moved_only else None,
    )
    return reader.change(folded, taken)


def _arithmetic(
    to_affine: Callable[[FloatArray, bool], op.Affine], reader: GraphReader, facts: NodeFacts
) -> Tensor:
    """Add, subtract, multiply or divide by a constant; or add two maps."""
    places = [place for place in (0, 1) if facts.is_constant(place)]
    if not places:
        if facts.node.op_type != "Add":
            raise facts.refusal("only with a constant; maps can be added alone")
        return _add(reader, facts)
    taken = reader.taken(facts, 1 - places[0])
    rank, channels = (2, taken.features) if taken.flat else (4, taken.shape[2])
    values = facts.by_channel(places[0], channels, rank)
    if facts.node.op_type == "Div" and (places[0] == 0 or values is None or (values == 0).any()):
        raise facts.refusal("only by constants that are not 0")
    if values is None:
        raise facts.refusal(
            f"only a constant of one number a channel, on a map of {taken.shape} (rows, columns, "
            "channels)"
        )
    return _affine(reader, facts, 1 - places[0], to_affine(values, places[0] == 0))


def _plus(values: FloatArray, is_first: bool) -> op.Affine:
    return op.Affine(np.ones_like(values), values)


def _minus(values: FloatArray, is_first: bool) -> op.Affine:
    sign = -1.0 if is_first else 1.0
    return op.Affine(np.full_like(values, sign), -sign * values)


def _times(values: FloatArray, is_first: bool) -> op.Affine:
    return op.Affine(values, np.zeros_like(values))


def _divided(values: FloatArray, is_first: bool) -> op.Affine:
    return op.Affine(1 / values, np.zeros_like(values))


def _add(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken = [reader.taken(facts, place) for place in range(len(facts.node.input))]
    taken = _alike(reader, facts, taken)
    if len({tensor.shape for tensor in taken}) > 1:
        found = " and ".join(str(tensor.shape) for tensor in taken)
        raise facts.refusal(f"asked for maps of one shape, found {found}")
    return reader.put(facts, op.Add(), taken)


def _concatenate(reader: GraphReader, facts: NodeFacts) -> Tensor:
    facts.need({"axis": 1})
    taken = [reader.taken(facts, place) for place in range(len(facts.node.input))]
    if any(tensor.flat for tensor in taken):
        taken = [_as_vector(reader, facts, tensor) for tensor in taken]
    if len({tensor.shape[:2] for tensor in taken}) > 1:
        found = " and ".join(str(tensor.shape) for tensor in taken)
        raise facts.refusal(f"asked for maps of one height and width, found {found}")
    return reader.put(facts, op.Concat(), taken)


def _alike(reader: GraphReader, facts: NodeFacts, taken: list[Tensor]) -> list[Tensor]:
    """Return tensors so that equal places in their maps are equal places in the file."""
    if len({tensor.shape for tensor in taken}) > 1 and any(tensor.flat for tensor in taken):
        return [_as_vector(reader, facts, tensor) for tensor in taken]
    return taken


def _as_vector(reader: GraphReader, facts: NodeFacts, taken: Tensor) -> Tensor:
    if not taken.flat:
        raise facts.refusal(f"a map of {taken.shape} meets a vector; flatten it")
    if taken.shape[:2] == (1, 1):
        return taken
    return reader.put(facts, op.Flatten(), [taken])


def _rectify(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken, before = reader.taken(facts), reader.sole_work(facts)
    if taken.value == IMAGE:
        return taken  # pixels are not negative
    if not isinstance(before, Layer):
        return reader.put(facts, op.Rectify(), [taken])
    return reader.change(replace(before, relu=True), taken)


def _clip(reader: GraphReader, facts: NodeFacts) -> Tensor:
    low, high = facts.number(1, "min", -np.inf), facts.number(2, "max", np.inf)
    if not low <= high:
        raise facts.refusal(f"from {low:g} to {high:g} is no range")
    return reader.put(facts, op.Clip(low, high), [reader.taken(facts)])


def _sign(reader: GraphReader, facts: NodeFacts) -> Tensor:
    return reader.put(facts, op.Sign(), [reader.taken(facts)])


def _map_taken(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken = reader.taken(facts)
    if taken.flat:
        raise facts.refusal(f"asked for a map, found a vector of {taken.features}")
    return taken


def _pool_largest(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken = _map_taken(reader, facts)
    pool, before = facts.pool(taken.shape), reader.sole_work(facts)
    if not isinstance(before, Layer) or before.pool is not None:
        return reader.put(facts, op.MaxPool(pool), [taken])
    return reader.change(replace(before, pool=pool), taken)


def _pool_mean(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken = _map_taken(reader, facts)
    counts = bool(facts.given.get("count_include_pad", 0))
    return reader.put(facts, op.AveragePool(facts.pool(taken.shape), counts), [taken])


def _pool_all(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken = _map_taken(reader, facts)
    size = taken.shape[:2]
    return reader.put(facts, op.AveragePool(Pool(size, size)), [taken])


def _mean(reader: GraphReader, facts: NodeFacts) -> Tensor:
    axes = sorted(axis % 4 for axis in facts.integers(1, "axes"))
    if axes != [2, 3]:
        raise facts.refusal(f"over axes {axes}; only rows and columns (2, 3) together")
    made = _pool_all(reader, facts)
    return made if facts.given.get("keepdims", 1) else replace(made, flat=True)


def _pad(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken = _map_taken(reader, facts)
    if facts.given.get("mode", b"constant") != b"constant" or facts.has(3):
        raise facts.refusal("only mode 'constant', on all axes, is supported")
    widths = facts.integers(1, "pads")
    if len(widths) != 8 or min(widths) < 0 or widths[0] or widths[4]:
        raise facts.refusal(f"pads = {widths}; asked for eight from 0, none at the batch")
    channels, top, left = widths[1:4]
    more_channels, bottom, right = widths[5:8]
    value = facts.number(2, "value", 0.0)
    work = op.Border((top, left, channels), (bottom, right, more_channels), value)
    return reader.put(facts, work, [taken])


def _slice(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken = _map_taken(reader, facts)
    starts, ends = facts.integers(1, "starts"), facts.integers(2, "ends")
    axes = facts.integers(3, "axes", list(range(len(starts))))
    steps = facts.integers(4, "steps", [1] * len(starts))
    ranges = [slice(None)] * 3
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=False):
        if axis % 4 == 0 or step < 1:
            raise facts.refusal(f"axis {axis} in steps of {step}; not the batch, and forwards only")
        ranges[{1: 2, 2: 0, 3: 1}[axis % 4]] = slice(start, end, step)
    return reader.put(facts, op.Slice((ranges[0], ranges[1], ranges[2])), [taken])


def _flatten(reader: GraphReader, facts: NodeFacts) -> Tensor:
    facts.need({"axis": 1})
    return replace(reader.taken(facts), flat=True)


def _reshape(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken, asked = reader.taken(facts), facts.integers(1, "shape")
    if len(asked) != 2 or asked[1] not in (-1, taken.features):
        raise facts.refusal(f"to {asked}: only flattening to (batch, {taken.features}) is done")
    return replace(taken, flat=True)


def _squeeze(reader: GraphReader, facts: NodeFacts) -> Tensor:
    taken = reader.taken(facts)
    if taken.shape[:2] != (1, 1):
        raise facts.refusal(f"a map of {taken.shape} (rows, columns, channels) cannot be squeezed")
    return replace(taken, flat=True)


def _finish(reader: GraphReader, facts: NodeFacts) -> Tensor:
    if any(facts.node.output[0] in node.input for node in reader.graph.node):
        raise facts.refusal("only as the last node: the largest score stays the largest")
    return reader.taken(facts)


def _pass_on(reader: GraphReader, facts: NodeFacts) -> Tensor:
    """Do nothing: the node does nothing when a network is used."""
    return reader.taken(facts)


STEPS: dict[str, Step] = {
    "Conv": _convolve,
    "Gemm": _multiply,
    "MatMul": _multiply,
    "BatchNormalization": _normalise,
    "Add": partial(_arithmetic, _plus),
    "Sub": partial(_arithmetic, _minus),
    "Mul": partial(_arithmetic, _times),
    "Div": partial(_arithmetic, _divided),
    "Concat": _concatenate,
    "Relu": _rectify,
    "Clip": _clip,
    "Sign": _sign,
    "MaxPool": _pool_largest,
    "AveragePool": _pool_mean,
    "GlobalAveragePool": _pool_all,
    "ReduceMean": _mean,
    "Pad": _pad,
    "Slice": _slice,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Softmax": _finish,
    "LogSoftmax": _finish,
    "Identity": _pass_on,
    "Dropout": _pass_on,
}
"""For each operator, what appends it to the network and returns what it makes."""
