"""What people keep under a name to use again, checked: rosters of instances, prompts and sets of them (§2.2). Pure.

Every function raises `Refused`, which names the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from puna.arena.failures import Refused
from puna.arena.fields import NAME, read_list, read_text
from puna.arena.instances import check_count_and_ids, instance_wire, read_instances

Json = dict[str, Any]
Read = Callable[[Json], Json]
"""A document that is taken, from one that was sent."""

MOST_INSTANCES = 100  # of one roster
MOST_PROMPTS = 10_000  # of one set
_PROMPT = ("prompt", "category", "reference")


def read_item(body: Mapping[str, Any], read_document: Read) -> tuple[str, Json]:
    """Its name and its document."""
    name, document = (read_text(body, "name", NAME) or "").strip(), body.get("document")
    if not name:
        raise Refused("Invalid name: must not be empty")
    if not isinstance(document, dict):
        raise Refused("Invalid document: must be an object")
    return name, read_document(document)


def read_roster(document: Json) -> Json:
    """`{"instances": […]}`, checked."""
    instances = read_instances(read_list(document, "instances") or (), extended=True)
    if not instances:
        raise Refused("No models selected")
    check_count_and_ids(instances, MOST_INSTANCES)
    return {"instances": [instance_wire(instance) for instance in instances]}


def read_prompts(document: Json) -> Json:
    """One prompt, `{"category", "text"}`, or a set, `{"prompts": [{"prompt", "category"?, "reference"?}]}`, checked."""
    prompts = read_list(document, "prompts", MOST_PROMPTS)
    if prompts is not None:
        return {"prompts": [_prompt(index, item) for index, item in enumerate(prompts)]}
    text = read_text(document, "text") or ""
    if not text.strip():
        raise Refused("No prompt provided")
    return {"category": read_text(document, "category", NAME) or "", "text": text}


def _prompt(index: int, item: object) -> Json:
    if not isinstance(item, dict) or not (read_text(item, "prompt") or "").strip():
        raise Refused(f"Invalid prompt at index {index}")
    return {name: text for name in _PROMPT if (text := read_text(item, name)) is not None}
