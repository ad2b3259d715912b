"""The OpenAPI page. Routes read their bodies themselves (contract §1.2), so they name their body's model here."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_REF = "#/components/schemas/{model}"
_bodies: set[type[BaseModel]] = set()


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route that takes `model` as JSON."""
    _bodies.add(model)
    reference = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": reference}}}}


def describe(app: FastAPI) -> None:
    """Put the bodies' schemas on the app's OpenAPI page, `/openapi.json`."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        page = build()
        _, bodies = models_json_schema([(body, "validation") for body in sorted(_bodies, key=_name)], ref_template=_REF)
        page.setdefault("components", {}).setdefault("schemas", {}).update(bodies["$defs"])
        return page

    app.openapi = openapi  # type: ignore[method-assign]


def _name(model: type[BaseModel]) -> str:
    return model.__name__
