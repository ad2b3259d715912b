"""Models under the names that clients compare literally, and what they can (contract code-completion K1, K3). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from puna.code.served import Served

Json = dict[str, Any]

DEFAULT = "default"

_WITH_SUFFIX = "{{ if .Suffix }}{{ .Prompt }}{{ .Suffix }}{{ else }}%s{{ end }}"
_PLAIN = "{{ .Prompt }}"


def listed(entries: Sequence[Mapping[str, Any]], served: str, aliases: Iterable[str]) -> list[Json]:
    """`default` and the names that mean it, then the endpoint's models. `default` stands for the model `served`."""
    names = {str(entry.get("name", "")) for entry in entries}
    meant = next((entry for entry in entries if entry.get("name") == served), {})
    others = sorted(alias for alias in aliases if alias not in names | {DEFAULT})
    renamed = [{**meant, "name": name, "model": name} for name in (DEFAULT, *others)]
    return [*renamed, *(dict(entry) for entry in entries)]


def shown(served: Served) -> Json:
    """The answer of `/api/show`: `insert` and a template with `.Suffix` exactly where the model fills gaps."""
    show = dict(served.show)
    inserts = served.fills_in_the_middle
    known = [each for each in show.get("capabilities") or ["completion"] if each != "insert"]
    template = str(show.get("template") or _PLAIN)
    if inserts and ".Suffix" not in template:
        template = _WITH_SUFFIX % template
    elif not inserts and ".Suffix" in template:
        template = _PLAIN
    return {
        **show,
        "template": template,
        "capabilities": [*known, "insert"] if inserts else known,
        "puna": detected(served),
    }


def detected(served: Served) -> Json:
    """How the model fills gaps and why that is believed (D8)."""
    family = served.family
    return {
        "model": served.name,
        "family": family.name if family else "",
        "order": family.order if family else "",
        "source": served.detection.source,
        "probe_score": served.score,
    }
