"""What the request bodies of every dialect have in common (contract ollama-http §1.2).

A `null` is an absent key, unknown keys are ignored, keys match exactly first and without case otherwise. Types are
strict: a string where a number belongs is a 400.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Wire(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _read_keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known = {field.alias or name for name, field in cls.model_fields.items()}
        result = {key: item for key, item in value.items() if item is not None and key in known}
        if len(result) < len(value):  # a key in another case counts where the exact one is missing
            for key, item in value.items():
                folded = key.lower() if isinstance(key, str) else key
                if item is not None and folded in known and folded not in result:
                    result[folded] = item
        return result
