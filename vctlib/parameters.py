"""The typed `parameters` cell of a notebook: what it declares, and whether given values fit."""

import ast
import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vctlib.errors import InputError

_TYPES = {"bool": bool, "int": int, "float": float, "str": str, "list": list, "tuple": list, "dict": dict}
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_TYPE_IN_COMMENT = re.compile(rf"#\s*(?:type:\s*)?({'|'.join(_TYPES)})\b:?")  # `out = None  # str: a folder`


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell. `types` is empty where neither annotation nor default tells a type."""

    name: str
    default: Any
    types: tuple[type, ...]
    optional: bool

    @property
    def wanted(self) -> str:
        names = [kind.__name__ for kind in self.types] or ["any type"]
        return " or ".join([*names, "None"] if self.optional else names)


def declared_parameters(notebook: Path, cells: list[Mapping]) -> dict[str, Parameter]:
    """Parameters by name. Raises InputError: no such cell, or a default that is computed.

    A type is told by an annotation, else by a comment that begins with it (`# str: folder`), else by the default.
    Read from the cell's syntax tree: papermill's own reading overlooks `int | None`. A computed default is refused
    since the given values are set after it: `f"runs/{profile}"` would keep the default profile.
    """
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise InputError(f"{notebook}: needs exactly one cell with the tag `parameters`, has {len(tagged)}")
    source = "".join(tagged[0]["source"])
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise InputError(f"{notebook}: the parameters cell is not Python ({error.msg}, line {error.lineno})") from None
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    found = {}
    for node in statements:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            name, annotation = node.target.id, node.annotation
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, annotation = node.targets[0].id, None
        else:
            raise InputError(f"{notebook}: the parameters cell may hold only `name = value`, line {node.lineno} is not")
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            raise InputError(
                f"{notebook}: the default of {name!r} is computed; write a plain value, or None and compute it in the "
                "next cell, because given values are set after this cell has run"
            ) from None
        if annotation is None and (told := _TYPE_IN_COMMENT.match(comments.get(node.end_lineno, ""))):
            annotation = ast.parse(told[1], mode="eval").body
        found[name] = _parameter(name, default, annotation)
    return found


def _parameter(name: str, default: Any, annotation: ast.expr | None) -> Parameter:
    if annotation is None:
        types = () if default is None else (_normal(type(default)),)
        return Parameter(name, default, types, optional=default is None)
    names = {node.id for node in ast.walk(_outer(annotation)) if isinstance(node, ast.Name)}
    nones = [node for node in ast.walk(annotation) if isinstance(node, ast.Constant) and node.value is None]
    types = tuple(dict.fromkeys(_TYPES[item] for item in sorted(names) if item in _TYPES))
    return Parameter(name, default, types, optional=bool(nones) or "Optional" in names or default is None)


def _outer(annotation: ast.expr) -> ast.expr:
    """The annotation without what stands in square brackets, except in Optional[...] and Union[...]."""

    class Strip(ast.NodeTransformer):
        def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
            keep = isinstance(node.value, ast.Name) and node.value.id in ("Optional", "Union")
            return self.generic_visit(node) if keep else node.value

    return Strip().visit(ast.parse(ast.unparse(annotation), mode="eval").body)


def _normal(kind: type) -> type:
    return list if kind is tuple else kind


def check_parameters(notebook: Path, declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Given Python values that fit what is declared. Raises InputError: unknown name or another type."""
    checked = {}
    for name, value in given.items():
        parameter = _known(notebook, declared, name)
        value = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        if type(value) is int and float in parameter.types and int not in parameter.types:
            value = float(value)
        fits = parameter.optional if value is None else not parameter.types or type(value) in parameter.types
        if not fits:
            raise _misfit(notebook, parameter, value)
        checked[name] = value
    return checked


def parse_parameters(notebook: Path, declared: Mapping[str, Parameter], given: Mapping[str, str]) -> dict[str, Any]:
    """Values typed on a command line, as what is declared: `false` becomes False where a bool is wanted."""
    parsed = {name: _parse(notebook, _known(notebook, declared, name), text) for name, text in given.items()}
    return check_parameters(notebook, declared, parsed)


def _parse(notebook: Path, parameter: Parameter, text: str) -> Any:
    if parameter.optional and text.lower() in ("none", "null"):
        return None
    if bool in parameter.types and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    for kind in (int, float):
        if kind in parameter.types:
            try:
                return kind(text)
            except ValueError:
                continue
    if str in parameter.types:
        return text
    if not parameter.types or list in parameter.types or dict in parameter.types:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            pass
    raise _misfit(notebook, parameter, text)


def _known(notebook: Path, declared: Mapping[str, Parameter], name: str) -> Parameter:
    if name not in declared:
        raise InputError(f"{notebook}: has no parameter {name!r}; it has: {', '.join(declared)}")
    return declared[name]


def _misfit(notebook: Path, parameter: Parameter, value: Any) -> InputError:
    return InputError(f"{notebook}: parameter {parameter.name!r} must be {parameter.wanted}, got {value!r}")
