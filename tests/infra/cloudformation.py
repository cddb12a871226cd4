"""Evaluates `template.yaml`: SAM's translator, then parameters, rules, mappings and conditions.

A function or a constraint that is not implemented here is an error.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from tests.events import ACCOUNT, REGION

Node: TypeAlias = Any
"""Part of a template."""

ROOT: Final = Path(__file__).parents[2]
STACK_GUID: Final = "f449b250-b969-11e0-a185-5081d0136786"

_NOTHING: Final = object()
_PSEUDO_PARAMETERS: Final = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": _NOTHING,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/landmark-worker/{STACK_GUID}",
    "AWS::StackName": "landmark-worker",
    "AWS::URLSuffix": "amazonaws.com",
}


@cache
def _source() -> Node:
    return yaml_parse((ROOT / "template.yaml").read_text("utf-8"))


def load_template() -> Node:
    """`template.yaml`, with the short forms of functions written out."""
    return copy.deepcopy(_source())


@cache
def _transformed() -> Node:
    template = load_template()
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/landmark-worker:built"
    template["Resources"]["Worker"]["Properties"]["ImageUri"] = image
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        return transform(template, {}, _NoManagedPolicies())


class _NoManagedPolicies:
    """AWS's managed policies: the template uses none."""

    def load(self) -> dict[str, str]:
        return {}


def transform_template() -> Node:
    """`template.yaml` as plain CloudFormation."""
    return copy.deepcopy(_transformed())


def parameter_values(**given: str) -> dict[str, str]:
    """Every parameter, as text."""
    parameters = _source()["Parameters"]
    unknown = given.keys() - parameters.keys()
    assert not unknown, f"no such parameter: {unknown}"
    return {name: given.get(name, str(body["Default"])) for name, body in parameters.items()}


def refusals(**given: str) -> list[str]:
    """Why CloudFormation would refuse these parameters."""
    values = parameter_values(**given)
    parameters = _source()["Parameters"]
    complaints = [
        f"{name}: {complaint}"
        for name, body in parameters.items()
        for complaint in _violations(body, values[name])
    ]
    rules = _Evaluation(_source(), values)
    return complaints + [
        assertion["AssertDescription"]
        for rule in _source()["Rules"].values()
        if rules.holds(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}))
        for assertion in rule["Assertions"]
        if not rules.holds(assertion["Assert"])
    ]


def _violations(parameter: Node, value: str) -> Iterator[str]:
    plain = {"Type", "Default", "Description", "ConstraintDescription"}
    for constraint in parameter.keys() - plain:
        limit = parameter[constraint]
        if not _CONSTRAINTS[constraint](value, limit):
            yield f"{value!r} against {constraint} {limit}"
    if parameter["Type"] == "Number" and not _is_number(value):
        yield f"{value!r} is no number"


def _is_number(value: str) -> bool:
    return bool(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)?", value))


_CONSTRAINTS: Final[Mapping[str, Callable[[str, Node], bool]]] = {
    "AllowedPattern": lambda value, limit: bool(re.fullmatch(limit, value)),
    "AllowedValues": lambda value, limit: value in map(str, limit),
    "MinLength": lambda value, limit: len(value) >= limit,
    "MaxLength": lambda value, limit: len(value) <= limit,
    "MinValue": lambda value, limit: _is_number(value) and float(value) >= limit,
    "MaxValue": lambda value, limit: _is_number(value) and float(value) <= limit,
}


def conditions(**given: str) -> set[str]:
    """The names of the conditions that hold with these parameters."""
    evaluation = _Evaluation(_source(), parameter_values(**given))
    return {name for name in _source()["Conditions"] if evaluation.holds_condition(name)}


@dataclass(frozen=True)
class Stack:
    """What CloudFormation would create.

    A reference to resource X is the text `X`, to a queue `https://X`; attribute A is `X.A`.
    """

    resources: Mapping[str, Node]
    outputs: Mapping[str, Node]

    def properties(self, name: str) -> Node:
        """The properties of one resource."""
        return self.resources[name]["Properties"]

    def of_type(self, kind: str) -> dict[str, Node]:
        """The properties of all resources of one type."""
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }


def render(**given: str) -> Stack:
    """The stack with these parameters."""
    refused = refusals(**given)
    assert not refused, refused
    template = _transformed()
    evaluation = _Evaluation(template, parameter_values(**given))
    return Stack(
        resources=evaluation.created(template["Resources"]),
        outputs=evaluation.created(template["Outputs"]),
    )


class _Evaluation:
    """One template with one set of parameters."""

    def __init__(self, template: Node, values: Mapping[str, str]) -> None:
        self._template = template
        self._values: Mapping[str, Node] = {**_PSEUDO_PARAMETERS, **values}
        self._functions: Mapping[str, Callable[[Node], Node]] = {
            "Ref": self._reference,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": lambda node: self._attribute(*node),
            "Fn::If": self._choose,
            "Fn::Select": lambda node: self.value(node[1])[int(node[0])],
            "Fn::Split": lambda node: self.value(node[1]).split(node[0]),
            "Fn::Sub": self._substitute,
        }
        self._predicates: Mapping[str, Callable[[Node], bool]] = {
            "Condition": self.holds_condition,
            "Fn::And": lambda node: all(map(self.holds, node)),
            "Fn::Contains": lambda node: self.value(node[1]) in node[0],
            "Fn::Equals": lambda node: self.value(node[0]) == self.value(node[1]),
            "Fn::Not": lambda node: not self.holds(node[0]),
            "Fn::Or": lambda node: any(map(self.holds, node)),
        }

    def created(self, bodies: Mapping[str, Node]) -> dict[str, Node]:
        """The resources or outputs whose condition holds."""
        return {
            name: self.value(body)
            for name, body in bodies.items()
            if self.holds_condition(body.get("Condition"))
        }

    def value(self, node: Node) -> Node:
        if isinstance(node, dict):
            ((name, argument), *others) = node.items() if node else (("", None),)
            if not others and (name == "Ref" or name.startswith("Fn::")):
                return self._functions[name](argument)
            values = {key: self.value(child) for key, child in node.items()}
            return {key: child for key, child in values.items() if child is not _NOTHING}
        if isinstance(node, list):
            return [child for child in map(self.value, node) if child is not _NOTHING]
        return node

    def holds(self, node: Node) -> bool:
        ((name, argument),) = node.items()
        return self._predicates[name](argument)

    def holds_condition(self, name: str | None) -> bool:
        return name is None or self.holds(self._template["Conditions"][name])

    def _reference(self, name: str) -> Node:
        if name in self._values:
            return self._values[name]
        kind = self._created(name)["Type"]
        return f"https://{name}" if kind == "AWS::SQS::Queue" else name

    def _attribute(self, name: str, attribute: str) -> str:
        self._created(name)
        return f"{name}.{attribute}"

    def _created(self, name: str) -> Node:
        resource = self._template["Resources"][name]
        assert self.holds_condition(resource.get("Condition")), f"{name} is not created"
        return resource

    def _find_in_map(self, node: Node) -> Node:
        name, row, column = map(self.value, node)
        return self._template["Mappings"][name][row][column]

    def _choose(self, node: Node) -> Node:
        name, yes, no = node
        return self.value(yes if self.holds_condition(name) else no)

    def _substitute(self, node: Node) -> str:
        text, variables = (node, {}) if isinstance(node, str) else node

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                return str(self.value(variables[name]))
            return str(self._attribute(*name.split(".")) if "." in name else self._reference(name))

        return re.sub(r"\$\{([^!}][^}]*)\}", replace, text)
