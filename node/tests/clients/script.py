"""Reads statements.sql: statements, what is expected of each, and what is to be done between them."""

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Step:
    """A statement with its expectations, or an order to the driver."""

    line: int
    text: str = ""
    order: list[str] = field(default_factory=list)
    error: int | None = None
    rows: int | None = None
    columns: list[str] | None = None
    value: str | None = None
    values: list[str] | None = None


def read(path: Path) -> list[Step]:
    """The steps of a script, in order."""
    steps, step = [], None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if step is None:
            step = Step(number)
        note = re.match(r"-- ! (\w+) (.*)", line)
        if note:
            what, rest = note.group(1), note.group(2)
            if what in ("error", "rows"):
                setattr(step, what, int(rest))
            elif what == "columns":
                step.columns = rest.split(",")
            elif what == "value":
                step.value = rest
            elif what == "values":
                step.values = rest.split("|")
            elif what in ("finished", "timestamp"):
                steps.append(Step(number, order=[what, *rest.split()]))
            else:
                raise ValueError(f"{path.name}:{number}: nothing is known about '{what}'")
        elif line.startswith("--") or not line.strip():
            continue
        else:
            if not step.text:
                step.line = number
            step.text += line + "\n"
            if line.rstrip().endswith(";"):
                step.text = step.text.rstrip().removesuffix(";")
                steps.append(step)
                step = None
    if step is not None and step.text:
        raise ValueError(f"{path.name}: the last statement has no semicolon")
    return steps


def fill(text: str, names: dict[str, str]) -> str:
    """The text with ${name} replaced."""
    return re.sub(r"\$\{(\w+)\}", lambda match: names[match.group(1)], text)
