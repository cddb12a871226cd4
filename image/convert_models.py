#!/usr/bin/env python3
"""Convert the people models from TensorFlow.js to TFLite, with float16 weights.

Needs TensorFlow (requirements-convert.txt), so it runs in an environment of its own: in a stage of
the image's build and on developers' machines. `fetch_models.py --people` calls it and checks what
it writes; equal input makes equal bytes.
"""

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from google.protobuf.json_format import ParseDict
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

# Operators that TensorFlow.js fuses, and what TFLite's converter knows instead.
CONVOLUTIONS = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}
CONVOLUTION_ATTRIBUTES = ("T", "strides", "padding", "data_format", "dilations")


@dataclass(frozen=True)
class Part:
    """The part of a model that is converted.

    Attributes:
        document: its JSON file.
        side_pixels: height and width of its input.
        start: the node whose output becomes the input, float32 RGB from -1 to 1.
        ends: the nodes whose outputs become the outputs.
    """

    document: str
    side_pixels: int
    start: str
    ends: tuple[str, ...]


PARTS = {
    # Without resizing, and without decoding and selecting boxes.
    "person_boxes.tflite": Part("model.json", 300, "Preprocessor/sub", ("Squeeze", "concat_1")),
    "person_keypoints.tflite": Part(
        "movenet-lightning.json", 192, "StatefulPartitionedCall/sub_1", ("Identity",)
    ),
}


def convert(folder: Path, part: Part) -> bytes:
    """Convert part of a TensorFlow.js graph model."""
    model = json.loads((folder / part.document).read_text(encoding="utf-8"))
    weights = dict(read_weights(folder, model["weightsManifest"]))
    nodes = [parse(node, weights) for node in model["modelTopology"]["node"]]
    graph = GraphDef(node=[piece for node in nodes for piece in unfuse(node)])
    graph = tf.compat.v1.graph_util.extract_sub_graph(cut(graph, part.start), list(part.ends))

    def run(image: tf.Tensor) -> list[tf.Tensor]:
        tensors = [f"{end}:0" for end in part.ends]
        outputs: list[tf.Tensor] = tf.graph_util.import_graph_def(
            graph, {part.start: image}, tensors, name=""
        )
        return outputs

    shape = tf.TensorSpec((1, part.side_pixels, part.side_pixels, 3), tf.float32, "image")
    function = tf.function(run, input_signature=[shape]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content


def read_weights(
    folder: Path, manifest: list[dict[str, Any]]
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield each weight's name and values; those stored as float16 become float32."""
    for group in manifest:
        content = b"".join((folder / name).read_bytes() for name in group["paths"])
        position = 0
        for entry in group["weights"]:
            stored = np.dtype(entry.get("quantization", entry)["dtype"])
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(content, stored, count, position)
            position += values.nbytes
            yield entry["name"], values.reshape(entry["shape"]).astype(entry["dtype"])


def parse(node: dict[str, Any], weights: dict[str, npt.NDArray[Any]]) -> NodeDef:
    """Parse a node. Constants get their values; an optimizer's notes are left out."""
    parsed = ParseDict(with_base64(node), NodeDef())
    parsed.attr.pop("_output_shapes", None)
    if parsed.op == "Const":
        parsed.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[parsed.name]))
    return parsed


def with_base64(value: Any) -> Any:  # noqa: ANN401, any JSON value
    """Write byte strings as protobuf's JSON does; older files have lists of numbers."""
    if isinstance(value, list):
        return [with_base64(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes(item)).decode()
        if key == "s" and isinstance(item, list) and isinstance(item[0], int)
        else with_base64(item)
        for key, item in value.items()
        if item != []
    }


def unfuse(node: NodeDef) -> Iterator[NodeDef]:
    """Take a fused convolution apart: convolution, bias, activation. The last keeps the name."""
    if node.op not in CONVOLUTIONS:
        yield node
        return
    operators = [CONVOLUTIONS[node.op], *(name.decode() for name in node.attr["fused_ops"].list.s)]
    names = [*(f"{node.name}/{operator}" for operator in operators[:-1]), node.name]
    inputs = list(node.input)
    for name, operator in zip(names, operators, strict=True):
        needed = 1 if operator.startswith("Relu") else 2
        piece = NodeDef(name=name, op=operator, input=inputs[:needed])
        inputs = [name, *inputs[needed:]]
        copied = ("T",) if operator not in CONVOLUTIONS.values() else CONVOLUTION_ATTRIBUTES
        for key in copied:
            piece.attr[key].CopyFrom(node.attr[key])
        yield piece


def cut(graph: GraphDef, start: str) -> GraphDef:
    """Replace a node by an input."""
    node = next(node for node in graph.node if node.name == start)
    node.CopyFrom(NodeDef(name=start, op="Placeholder"))
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    return graph


def main(argv: list[str]) -> int:
    """Convert one model: folder with its files, name and path of the result."""
    folder, name, target = argv
    Path(target).write_bytes(convert(Path(folder), PARTS[name]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
