"""Fill in the middle: marker sets, layouts and families of models, prompts from parts and parts from prompts.

Pure text, no tokens and no I/O (contract code-completion Part 2, §1.4 P3, §1.6 V2).
"""

from puna.prompts.fim.detect import Detection, Source, can_chat, can_insert, candidates, detect
from puna.prompts.fim.families import (
    FAMILIES,
    Family,
    custom_family,
    family_named,
    guarded_texts,
    render,
)
from puna.prompts.fim.layouts import context_comments
from puna.prompts.fim.markers import MARKER_SETS, MarkerSet, Order
from puna.prompts.fim.prompt import (
    CommentStyle,
    ContextFile,
    FimParts,
    FimPrompt,
    Segment,
    guard,
    merged,
    unguard,
)
from puna.prompts.fim.split import Split, split
from puna.prompts.fim.vocabulary import Vocabulary

__all__ = [
    "FAMILIES",
    "MARKER_SETS",
    "CommentStyle",
    "ContextFile",
    "Detection",
    "Family",
    "FimParts",
    "FimPrompt",
    "MarkerSet",
    "Order",
    "Segment",
    "Source",
    "Split",
    "Vocabulary",
    "can_chat",
    "can_insert",
    "candidates",
    "context_comments",
    "custom_family",
    "detect",
    "family_named",
    "guard",
    "guarded_texts",
    "merged",
    "render",
    "split",
    "unguard",
]
