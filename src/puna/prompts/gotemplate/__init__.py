"""Go's text/template, as far as the templates of models use it, with a budget (contract ollama-store §5.1)."""

from puna.prompts.gotemplate.template import GoTemplate
from puna.prompts.gotemplate.values import Typed, Value

__all__ = ["GoTemplate", "Typed", "Value"]
