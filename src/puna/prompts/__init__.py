"""What text the model really sees, and how its text is read back: templates, chat assembly, truncation, parsers."""

from puna.prompts.assemble import assemble_chat, assemble_generate
from puna.prompts.calling import told_of_tools
from puna.prompts.capabilities import capabilities, list_capabilities, ranks
from puna.prompts.choice import (
    TemplateChoice,
    choose_template,
    jinja_supports_thinking,
    jinja_supports_tools,
)
from puna.prompts.gotemplate import GoTemplate
from puna.prompts.messages import Message, Tool, ToolCall, normalise_tools
from puna.prompts.output import OutputParser, Piece, closing_thought, output_parser, thinking_tags
from puna.prompts.render import render_messages, render_prompt, render_suffix
from puna.prompts.templatedata import Think
from puna.prompts.thinking import ThinkingParser, infer_tags
from puna.prompts.toolcalls import ToolCallParser, infer_tag
from puna.prompts.truncate import cut_prompt, droppable, without

__all__ = [
    "GoTemplate",
    "Message",
    "OutputParser",
    "Piece",
    "TemplateChoice",
    "Think",
    "ThinkingParser",
    "Tool",
    "ToolCall",
    "ToolCallParser",
    "assemble_chat",
    "assemble_generate",
    "capabilities",
    "choose_template",
    "closing_thought",
    "cut_prompt",
    "droppable",
    "infer_tag",
    "infer_tags",
    "jinja_supports_thinking",
    "jinja_supports_tools",
    "list_capabilities",
    "normalise_tools",
    "output_parser",
    "ranks",
    "render_messages",
    "render_prompt",
    "render_suffix",
    "thinking_tags",
    "told_of_tools",
    "without",
]
