"""Writes `docs/configuration.md`: `python -m docs.configuration [--check]`.

Names, defaults, allowed values and descriptions come from `worker/settings.py`, parameters from
`template.yaml`.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from samtranslator.yaml_helper import yaml_parse

from worker.model import ModelOptions
from worker.settings import Settings, Variable, variables

PAGE: Final = Path(__file__).with_name("configuration.md")
_TEMPLATE: Final = Path(__file__).parents[1] / "template.yaml"

_PAGE: Final = """\
<!-- Written by `make docs` from worker/settings.py and template.yaml; `make check` compares. -->
# Configuration

The worker is configured by environment variables, on Lambda and anywhere else. They are read
once, at the start. If a value is not allowed, or a required one is missing, the worker does not
start, and one message names each wrong variable, its value and what is allowed. An empty value
counts as not set.

The [stack](#parameters-of-the-stack) sets them from its parameters. Credentials, region and
endpoint come from boto3's usual places: `AWS_DEFAULT_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`
and so on.

## Settings of the worker

{settings}

The `landmarks` commands read the queue, dead-letter queue and table from the same variables, or
from options: see `landmarks COMMAND --help`.

## Parameters of the stack

What `sam deploy --guided` asks for. Combinations that can't work (a timeout too short for two
tries, more detectors than vCPUs, …) are refused before anything is created.

{parameters}
"""


def page() -> str:
    """The page."""
    template = yaml_parse(_TEMPLATE.read_text(encoding="utf-8"))
    return _PAGE.format(settings=_settings(template), parameters=_parameters(template))


# --- the worker's settings -----------------------------------------------------------------------


def _settings(template: Mapping[str, Any]) -> str:
    words = _attributes(Settings) | _attributes(ModelOptions)
    parameters = {_variable(name): name for name in template["Parameters"]}
    rows = [
        (
            f"`{variable.name}`",
            _default(variable),
            variable.allowed,
            words[variable.name.lower()],
            f"`{parameters[variable.name]}`" if variable.name in parameters else "",
        )
        for variable in variables()
    ]
    return _table(("variable", "default", "allowed", "what", "parameter of the stack"), rows)


def _attributes(described: type[object]) -> dict[str, str]:
    """The description of each attribute in a class's docstring, on one line."""
    _, _, section = (inspect.getdoc(described) or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _default(variable: Variable) -> str:
    return f"`{variable.default}`" if variable.default else ""


def _variable(parameter: str) -> str:
    """The variable of a parameter: ModelComplexity, MODEL_COMPLEXITY."""
    return re.sub(r"(?<=.)([A-Z])", r"_\1", parameter).upper()


# --- the stack's parameters ----------------------------------------------------------------------


def _parameters(template: Mapping[str, Any]) -> str:
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    return "\n\n".join(
        f"### {group['Label']['default']}\n\n" + _group(group["Parameters"], template["Parameters"])
        for group in groups
    )


def _group(names: Sequence[str], parameters: Mapping[str, Any]) -> str:
    rows = [
        (
            f"`{name}`",
            _quoted(parameters[name]["Default"]),
            _limits(parameters[name]),
            parameters[name]["Description"],
        )
        for name in names
    ]
    return _table(("parameter", "default", "allowed", "what"), rows)


def _quoted(value: object) -> str:
    return "" if value == "" else f"`{value}`"


def _limits(parameter: Mapping[str, Any]) -> str:
    if "AllowedValues" in parameter:
        return ", ".join(_quoted(value) or "empty" for value in parameter["AllowedValues"])
    if "MinValue" in parameter:
        return f"{parameter['MinValue']} to {parameter['MaxValue']}"
    return str(parameter.get("ConstraintDescription", "")).removeprefix("has to be ")


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
    )


def main() -> None:
    """Write the page, or check that it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    written = page()
    if not parser.parse_args().check:
        PAGE.write_text(written, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != written:
        sys.exit("docs/configuration.md is out of date: run make docs")


if __name__ == "__main__":
    main()
