"""The API's documentation as a page: what OpenAPI says, in HTML, with nothing from a network."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.responses import Response

from shoal.web.gallery.house import page

Schema = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, kw_only=True)
class Field:
    """What goes in or comes out, in a line: its name, what it is, whether it has to be there, what it means."""

    name: str
    kind: str
    required: bool
    means: str


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An address and a method.

    Attributes:
        method: in capitals.
        path: with braces where something is to be filled in.
        says: what it does.
        parameters: of the path and the query.
        body: fields of what is sent.
        media: what it is sent as.
        gives: fields of what comes back.
        several: whether these come as a list.
        statuses: of answers, with their meaning.
    """

    method: str
    path: str
    says: str
    parameters: list[Field]
    body: list[Field]
    media: str
    gives: list[Field]
    several: bool
    statuses: list[tuple[str, str]]


def reference(request: Request) -> Response:
    """The page."""
    return page(request, "gallery/reference.html", groups=operations(request.app.openapi()))


def operations(openapi: Schema) -> dict[str, list[Operation]]:
    """What an OpenAPI document says, by its tags."""
    found: dict[str, list[Operation]] = {}
    for path, methods in openapi["paths"].items():
        for method in METHODS:
            if method in methods:
                about = methods[method]
                found.setdefault(about["tags"][0], []).append(_operation(openapi, method, path, about))
    return found


def _operation(openapi: Schema, method: str, path: str, about: Schema) -> Operation:
    media, body = next(iter(about.get("requestBody", {}).get("content", {}).items()), ("", {}))
    answer = about["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
    several = answer.get("type") == "array"
    return Operation(
        method=method.upper(),
        path=path,
        says=about["description"],
        parameters=[_field(openapi, one["name"], one["schema"], one) for one in about.get("parameters", ())],
        body=_fields(openapi, body.get("schema", {})),
        media=media,
        gives=_fields(openapi, answer["items"] if several else answer),
        several=several,
        statuses=[(status, one["description"]) for status, one in about["responses"].items() if status != "200"],
    )


def _fields(openapi: Schema, schema: Schema) -> list[Field]:
    whole = _resolved(openapi, schema)
    required = whole.get("required", ())
    properties = whole.get("properties", {})
    return [_field(openapi, name, one, {"required": name in required}) for name, one in properties.items()]


def _field(openapi: Schema, name: str, schema: Schema, about: Schema) -> Field:
    means = about.get("description") or schema.get("description", "")
    return Field(name=name, kind=_kind(openapi, schema), required=about.get("required", False), means=means)


def _kind(openapi: Schema, schema: Schema) -> str:
    if "$ref" in schema:
        inner = ", ".join(field.name for field in _fields(openapi, schema))
        return f"{{{inner}}}"
    if "anyOf" in schema:
        return " or ".join(_kind(openapi, one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_kind(openapi, one) for one in schema['prefixItems'])}]"
        return f"list of {_kind(openapi, schema.get('items', {}))}"
    if "contentMediaType" in schema:
        return "file"
    kind = str(schema.get("type", "anything"))
    return {"string": "text", "integer": "whole number", "null": "none", "boolean": "true | false"}.get(kind, kind)


def _resolved(openapi: Schema, schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    return openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
