"""The native routes: Ollama's, and Puna's own beside them."""

from __future__ import annotations

from typing import Any

from puna.api.ollama.schemas import (
    ChatBody,
    CopyBody,
    CreateBody,
    DeleteBody,
    DetokenizeBody,
    EmbedBody,
    EmbeddingsBody,
    GenerateBody,
    OutdatedBody,
    ShowBody,
    TokenizeBody,
    TransferBody,
    VerifyBody,
)
from puna.api.rerank import RerankBody
from puna.engine.options import HISTORIC
from tests.dialects.fields import ADAPTERS, Route, honoured, no_effect, refused, shown

SKY: Any = [{"role": "user", "content": "Why is the sky blue?"}]
CALL: Any = {"id": "c1", "function": {"name": "weather", "arguments": {"city": "Puno"}}}
CALLED: Any = [*SKY, {"role": "assistant", "content": "", "tool_calls": [CALL]}]
RESULT: Any = [*CALLED, {"role": "tool", "content": "sunny"}]
WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
SHOWN: dict[str, Any] = {"model": "shows", "_debug_render_only": True}  # the answer is the prompt
GREEDY: dict[str, Any] = {"temperature": 0, "num_predict": 6}
LONG = "the sky is blue " * 12
CUT: dict[str, Any] = {"num_ctx": 16}

_LONG = "api/test_long_prompts.py::"
_KEEP = "api/test_keep_alive_and_ps.py::"
_SEES = "api/test_hostile_media.py::test_T13_a_good_picture_is_answered"
_OWN = "Puna's own"
_IMAGES = "images are not made here"

_INFERENCE = (
    *ADAPTERS,
    honoured("model", "tools"),
    honoured("stream", True, "`true` where it is not given"),
    honoured("format", "json", "`json` or a JSON Schema"),
    shown("keep_alive", f"{_KEEP}test_a_keep_alive_sticks_until_another_one_is_given"),
    honoured("options", {"temperature": 0, "num_predict": 2}, "each in its own table, see below"),
    honoured("think", False, "refused on a model that does not think", model="T"),
    shown("truncate", f"{_LONG}test_truncate_false_is_refused_naming_the_context"),
    shown("shift", f"{_LONG}test_with_shifting_an_answer_goes_on_beyond_the_context"),
    honoured("logprobs", True),
    honoured("top_logprobs", 2, "0 to 20", logprobs=True),
    honoured("_debug_render_only", True, "the prompt as the model would see it, and no answer"),
)

GENERATE = Route(
    "Ollama",
    "POST /api/generate",
    "/api/generate",
    (
        *_INFERENCE,
        honoured("prompt", "Grass"),
        shown("suffix", "api/test_templates.py::test_a_suffix_fills_in_the_middle_without_the_system_text"),
        honoured("system", "Be short."),
        honoured("template", "{{ .Prompt }}!"),
        honoured("context", [300, 301, 302], "the tokens of an earlier answer"),
        honoured("raw", True),
        shown("images", _SEES, "data only; pictures and recordings for models that take them in"),
        no_effect("width", 64, _IMAGES),
        no_effect("height", 64, _IMAGES),
        no_effect("steps", 1, _IMAGES),
    ),
    GenerateBody,
    {"model": "M", "prompt": "Once", "stream": False, "options": GREEDY},
)

CHAT = Route(
    "Ollama",
    "POST /api/chat",
    "/api/chat",
    (
        *_INFERENCE,
        honoured("messages[].role", "system", **SHOWN),
        honoured("messages[].content", "Why is grass green?", **SHOWN),
        honoured("messages[].thinking", "hm", "goes back to the model", **SHOWN, messages=CALLED),
        shown("messages[].images", _SEES, "data only; pictures and recordings for models that take them in"),
        honoured("messages[].tool_calls[].id", "c2", "for templates that show it", **SHOWN, messages=CALLED),
        honoured("messages[].tool_calls[].function.name", "clock", **SHOWN, messages=CALLED),
        honoured("messages[].tool_calls[].function.arguments", {"city": "Lima"}, **SHOWN, messages=CALLED),
        honoured("messages[].tool_calls[].function.index", 1, "for templates that show it", **SHOWN, messages=CALLED),
        honoured("messages[].tool_name", "weather", **SHOWN, messages=RESULT),
        honoured("messages[].tool_call_id", "c1", "for templates that show it", **SHOWN, messages=RESULT),
        honoured("tools", [WEATHER], "refused on a model whose template knows no tools", model="tools"),
    ),
    ChatBody,
    {"model": "M", "messages": SKY, "stream": False, "options": GREEDY},
)

EMBED = Route(
    "Ollama",
    "POST /api/embed",
    "/api/embed",
    (
        honoured("model", "M"),
        honoured("input", "grass", "a text or a list of texts"),
        honoured("truncate", False, "`false` refuses an input that is too long", input=LONG, options=CUT),
        honoured("dimensions", 8),
        shown("keep_alive", f"{_KEEP}test_embedding_takes_keep_alive_too"),
        honoured("options", CUT, "those that load a model", input=LONG),
    ),
    EmbedBody,
    {"model": "E", "input": "sky"},
)

EMBEDDINGS = Route(
    "Ollama",
    "POST /api/embeddings",
    "/api/embeddings",
    (
        honoured("model", "M"),
        honoured("prompt", "grass"),
        shown("keep_alive", f"{_KEEP}test_embedding_takes_keep_alive_too"),
        honoured("options", CUT, "those that load a model", prompt=LONG),
    ),
    EmbeddingsBody,
    {"model": "E", "prompt": "sky"},
)

_RERANK = "api/test_rerank.py::"

RERANK = Route(
    "Ollama",
    "POST /api/rerank, POST /v1/rerank",
    "/api/rerank",
    (
        shown("model", f"{_RERANK}test_only_a_reranker_ranks"),
        shown("query", f"{_RERANK}test_an_empty_query_is_refused"),
        shown("documents", f"{_RERANK}test_the_best_document_comes_first", "texts, or objects with a `text`"),
        shown("top_n", f"{_RERANK}test_top_n_is_how_many_at_most"),
        shown("return_documents", f"{_RERANK}test_documents_come_back_when_asked_for"),
        shown("truncate", f"{_RERANK}test_a_document_that_may_not_be_cut_is_refused_by_its_number"),
        shown("options", f"{_RERANK}test_a_document_that_may_not_be_cut_is_refused_by_its_number"),
        shown("keep_alive", f"{_KEEP}test_a_keep_alive_sticks_until_another_one_is_given"),
    ),
    RerankBody,
    note=f"{_OWN}, in the shapes that other servers use.",
)

TOKENIZE = Route(
    "Ollama",
    "POST /api/tokenize",
    "/api/tokenize",
    (honoured("model", "E"), honoured("content", "grass")),
    TokenizeBody,
    {"model": "M", "content": "sky"},
    f"{_OWN}.",
)
DETOKENIZE = Route(
    "Ollama",
    "POST /api/detokenize",
    "/api/detokenize",
    (honoured("model", "E"), honoured("tokens", [301])),
    DetokenizeBody,
    {"model": "M", "tokens": [300]},
    f"{_OWN}.",
)

RANDOM: dict[str, Any] = {"num_predict": 12, "temperature": 1, "seed": 1, "top_p": 1}
REPEATING: dict[str, Any] = {"num_predict": 60, "temperature": 0}

OPTIONS = Route(
    "Ollama",
    "The options of generate, chat, embed, embeddings and rerank",
    "/api/generate",
    (
        shown("options.num_keep", f"{_LONG}test_a_prompt_too_long_by_itself_loses_its_middle"),
        honoured("options.seed", 7, "the same seed gives the same answer on the same machine", options=RANDOM),
        honoured("options.num_predict", 2),
        honoured("options.top_k", 1, options=RANDOM),
        honoured("options.top_p", 0.01, options=RANDOM),
        honoured("options.min_p", 0.99, options=RANDOM),
        honoured("options.typical_p", 0.01, options=RANDOM),
        honoured("options.repeat_last_n", 1, options=REPEATING | {"repeat_penalty": 2}),
        honoured("options.temperature", 2, options=RANDOM),
        honoured("options.repeat_penalty", 2, options=REPEATING),
        honoured("options.presence_penalty", 2, options=REPEATING),
        honoured("options.frequency_penalty", 2, options=REPEATING),
        shown("options.stop", "api/test_ollama_client.py::test_stop_words_end_an_answer_and_are_not_shown"),
        shown(
            "options.num_ctx", f"{_KEEP}test_another_context_reloads_and_the_same_one_does_not", "loads the model anew"
        ),
        *(
            shown(
                f"options.{name}",
                "engine/test_load_options.py::test_an_option_of_loading_reaches_the_engine",
                "loads the model anew",
            )
            for name in ("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
        ),
        *(no_effect(f"options.{name}", 1, "of older servers") for name in sorted(HISTORIC)),
    ),
    base={"model": "M", "prompt": "Once", "stream": False, "options": GREEDY},
    note="Names that are not listed are ignored.",
)

_CLIENT = "api/test_ollama_client.py::test_show_list_and_ps"
_MADE = "api/test_create.py::"
_MAKING = "modelfile/test_creating_models.py::"
_SESSION = "api/test_older_clients.py::test_the_session_of_2023"
_NAME = "api/test_older_clients.py::test_name_is_an_alias_and_model_wins"
_COPIED = "api/test_ollama_client.py::test_copy_create_and_delete"
_MOVED = "api/test_pull_and_push_routes.py::"

SHOW = Route(
    "Ollama",
    "POST /api/show",
    "/api/show",
    (
        honoured("model", "tools"),
        shown("name", _NAME, "the old word for `model`"),
        honoured("verbose", True),
        honoured("system", "Be short.", "shown as if the model had it"),
        honoured("options", {"top_k": 3}, "shown as if the model had them"),
        no_effect("template", "{{ .Prompt }}", "the reference ignores it too"),
    ),
    ShowBody,
    {"model": "M"},
)

CREATE = Route(
    "Ollama",
    "POST /api/create",
    "/api/create",
    (
        shown("model", _COPIED),
        shown("name", _SESSION, "the old word for `model`"),
        shown("stream", f"{_MADE}test_status_lines_come_in_the_contracts_order"),
        shown("from", _COPIED),
        shown("files", f"{_MADE}test_a_single_file_keeps_its_blob_and_answers"),
        shown("adapters", f"{_MADE}test_an_adapter_changes_the_answer_and_not_the_base"),
        shown("draft_files", f"{_MAKING}test_files_beside_the_model_get_the_layer_of_their_kind"),
        shown("draft_quantize", "modelfile/test_quantising.py::test_a_draft_model_is_quantised_by_itself"),
        shown("template", f"{_MADE}test_everything_at_once_and_inherited_by_the_next"),
        shown("system", f"{_MADE}test_everything_at_once_and_inherited_by_the_next"),
        shown("license", f"{_MADE}test_everything_at_once_and_inherited_by_the_next"),
        shown("parameters", f"{_MADE}test_everything_at_once_and_inherited_by_the_next"),
        shown("messages", f"{_MADE}test_everything_at_once_and_inherited_by_the_next"),
        shown("quantize", "modelfile/test_quantising.py::test_a_stored_model_can_be_quantised"),
        shown(
            "quantization",
            f"{_MADE}test_a_failed_create_says_why_in_one_line_and_leaves_nothing",
            "the old word for `quantize`",
        ),
        shown("renderer", f"{_MAKING}test_a_model_from_another_one_keeps_what_it_does_not_replace"),
        shown("parser", f"{_MAKING}test_a_model_from_another_one_keeps_what_it_does_not_replace"),
        shown("requires", f"{_MAKING}test_a_model_from_another_one_keeps_what_it_does_not_replace"),
        shown("info", f"{_MAKING}test_info_overrides_the_config"),
        refused("remote_host", "https://x", "a model of another host would not be one of this machine"),
        shown(
            "path",
            "api/test_threats_through_the_api.py::test_seed_002_a_modelfile_on_the_servers_disk",
            "only from this machine itself",
        ),
        shown("modelfile", "api/test_threats_through_the_api.py::test_the_text_of_a_modelfile"),
    ),
    CreateBody,
    {"model": "made", "from": "M", "stream": False},
)

COPY = Route(
    "Ollama",
    "POST /api/copy",
    "/api/copy",
    (shown("source", _SESSION), shown("destination", _SESSION)),
    CopyBody,
)
DELETE = Route(
    "Ollama",
    "DELETE /api/delete",
    "/api/delete",
    (
        shown("model", _COPIED),
        shown("name", _SESSION, "the old word for `model`"),
    ),
    DeleteBody,
)
_TAKEN = f"{_MOVED}test_old_names_and_credentials_of_a_body_are_taken"
TRANSFER = Route(
    "Ollama",
    "POST /api/pull, POST /api/push",
    "/api/pull",
    (
        shown("model", f"{_MOVED}test_a_pull_streams_the_steps_without_empty_counters"),
        shown("name", _TAKEN, "the old word for `model`"),
        shown("insecure", _TAKEN),
        shown("stream", f"{_MOVED}test_without_stream_only_the_last_step_is_told"),
    ),
    TransferBody,
)
VERIFY = Route(
    "Ollama",
    "POST /api/verify",
    "/api/verify",
    tuple(
        shown(name, f"{_MOVED}test_verify_passes_on_what_is_asked")
        for name in ("model", "name", "repair", "insecure", "stream")
    ),
    VerifyBody,
    note=f"{_OWN}.",
)
OUTDATED = Route(
    "Ollama",
    "POST /api/outdated",
    "/api/outdated",
    (shown("models", f"{_MOVED}test_outdated_tells_digests_without_prefix_and_leaves_empty_fields_out"),),
    OutdatedBody,
    note=f"{_OWN}.",
)

ROUTES = (
    GENERATE, CHAT, OPTIONS, EMBED, EMBEDDINGS, RERANK, TOKENIZE, DETOKENIZE, SHOW, CREATE, COPY, DELETE, TRANSFER, VERIFY,
    OUTDATED,
)  # fmt: skip
