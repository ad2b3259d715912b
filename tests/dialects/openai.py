"""OpenAI's routes. What is said of a field is what a caller needs who knows OpenAI's own description of it."""

from __future__ import annotations

from typing import Any

from puna.api.openai.responses_schema import ResponsesBody
from puna.api.openai.schemas import OpenAIChatBody, OpenAICompletionBody, OpenAIEmbeddingsBody
from tests.dialects.fields import ADAPTERS, Route, honoured, no_effect, refused, shown

SKY: Any = [{"role": "user", "content": "Why is the sky blue?"}]
SHOWN: dict[str, Any] = {"model": "shows", "_debug_render_only": True}  # the answer is the prompt
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Puno"}'}}
CALLED: Any = [*SKY, {"role": "assistant", "content": "", "tool_calls": [CALL]}]
RESULT: Any = [*CALLED, {"role": "tool", "content": "sunny"}]
WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
SCHEMA: Any = {"const": "grass"}
TWO_CALLS: Any = {"const": [{"name": "weather", "arguments": {}}, {"name": "weather", "arguments": {}}]}
RANDOM: dict[str, Any] = {"temperature": 1, "seed": 1}
TOKEN = 260  # any token of the model's vocabulary

ACCOUNT = "nobody keeps accounts here"
STORED = "no answer is stored here"
CACHE = "the engine's own cache needs no help"
TEXT_ONLY = "models answer in text here"

_SAMPLED = (
    honoured("model", "tools"),
    *ADAPTERS,
    honoured("stream", True),
    honoured("stream_options.include_usage", True, stream=True),
    honoured("max_tokens", 2),
    honoured("temperature", 2, "1 where it is not given, as at OpenAI", **RANDOM),
    honoured("top_p", 0.01, "1 where it is not given, as at OpenAI", **RANDOM),
    honoured("seed", 7, "the same seed gives the same answer on the same machine", **RANDOM),
    honoured("frequency_penalty", 2, max_tokens=60),
    honoured("presence_penalty", 2, max_tokens=60),
    shown("stop", "api/test_openai_sdk.py::test_a_stop_text_ends_the_answer"),
    honoured("n", 2, "1 to 8 choices; a seed counts up from one to the next"),
    honoured("logit_bias", {str(TOKEN): 100}, "-100 to 100 per token id of the model's own vocabulary"),
    shown(
        "truncate",
        "api/test_openai_chat.py::test_a_prompt_is_not_cut_when_the_caller_says_so",
        "Puna's own: `false` refuses a prompt that does not fit instead of leaving out its oldest part",
    ),
)

CHAT = Route(
    "OpenAI",
    "POST /v1/chat/completions",
    "/v1/chat/completions",
    (
        *_SAMPLED,
        honoured("messages[].role", "system", "`developer` is `system`, `function` is `tool`", **SHOWN),
        honoured(
            "messages[].content",
            "Why is grass green?",
            "a text, or parts of the types `text`, `refusal`, `image_url` and `input_audio`; media only as data, "
            "never by address",
            **SHOWN,
        ),
        honoured("messages[].name", "clock", "names the tool of a result", **SHOWN, messages=RESULT),
        honoured("messages[].reasoning", "hm", "earlier thoughts go back to the model", **SHOWN, messages=CALLED),
        honoured(
            "messages[].refusal",
            "no",
            "stands for content that is null",
            **SHOWN,
            messages=[*SKY, {"role": "assistant", "content": None, "tool_calls": []}],
        ),
        honoured("messages[].tool_calls[].id", "c2", **SHOWN, messages=CALLED),
        honoured("messages[].tool_calls[].function.name", "clock", **SHOWN, messages=CALLED),
        honoured("messages[].tool_calls[].function.arguments", '{"city": "Lima"}', **SHOWN, messages=CALLED),
        honoured(
            "messages[].tool_call_id", "c1", "finds the name of the tool that was called", **SHOWN, messages=RESULT
        ),
        refused("messages[].audio", {"id": "a"}, TEXT_ONLY),
        refused("messages[].function_call", {"name": "f", "arguments": "{}"}, "send `tool_calls`"),
        honoured("max_completion_tokens", 2, "wins over `max_tokens`"),
        honoured(
            "response_format.type",
            "json_object",
            "`text`, `json_object` or `json_schema`",
            max_tokens=4,
        ),
        honoured(
            "response_format.json_schema.schema",
            {"const": "sky"},
            "always followed, with `strict` or without",
            response_format={"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        ),
        no_effect(
            "response_format.json_schema.name",
            "other",
            response_format={"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        ),
        no_effect(
            "response_format.json_schema.strict",
            True,
            "a schema is always followed",
            response_format={"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        ),
        honoured("reasoning_effort", "none", "another model than one that thinks refuses it", model="T"),
        honoured("reasoning.effort", "none", "the same, and wins over it", model="T"),
        honoured("tools", [WEATHER], "functions; refused on a model whose template knows no tools", model="tools"),
        honoured(
            "tool_choice",
            "required",
            "`none`, `auto`, `required`, a function, `allowed_tools`; a forced call works on every model",
            model="tools",
            tools=[WEATHER],
            max_tokens=40,
        ),
        honoured(
            "parallel_tool_calls",
            False,
            "`false`: one call at most",
            model="calls",
            tools=[WEATHER],
            response_format={"type": "json_schema", "json_schema": {"schema": TWO_CALLS}},
            max_tokens=80,
        ),
        honoured("logprobs", True),
        honoured("top_logprobs", 2, "0 to 20", logprobs=True),
        honoured("_debug_render_only", True, "the prompt as the model would see it, and no answer"),
        refused("modalities", ["text", "audio"], f'anything but `["text"]`: {TEXT_ONLY}'),
        refused("verbosity", "low", "anything but `medium`: ask for a short or a long answer in the prompt"),
        refused("audio", {"voice": "alloy", "format": "wav"}, TEXT_ONLY),
        refused("prediction", {"type": "content", "content": "x"}, "an answer is not compared with a predicted one"),
        refused("web_search_options", {}, "nothing is fetched from the web; offer a tool that does"),
        refused("moderation", {}, "nothing is moderated here"),
        refused("functions", [{"name": "f"}], "send `tools`"),
        refused("function_call", "auto", "send `tool_choice`"),
        no_effect("user", "ada", ACCOUNT),
        no_effect("safety_identifier", "ada", ACCOUNT),
        no_effect("store", True, STORED),
        no_effect("metadata", {"a": "b"}, STORED),
        no_effect("service_tier", "auto"),
        no_effect("prompt_cache_key", "a", CACHE),
        no_effect("prompt_cache_options", {"a": "b"}, CACHE),
        no_effect("prompt_cache_retention", "24h", CACHE),
    ),
    OpenAIChatBody,
    {"model": "M", "messages": SKY, "max_tokens": 6, "temperature": 0},
)

COMPLETIONS = Route(
    "OpenAI",
    "POST /v1/completions",
    "/v1/completions",
    (
        *_SAMPLED,
        honoured(
            "prompt", "Grass", "a text or a list of texts; tokens are refused. It goes through the model's template"
        ),
        shown("suffix", "api/test_openai_completions.py::test_a_suffix_is_rendered_by_the_models_template"),
        honoured("echo", True, "refused together with `logprobs`"),
        refused("best_of", 2, "any number but that of `n`: answers are not compared"),
        honoured("logprobs", 2, "0 to 20"),
        no_effect("user", "ada", ACCOUNT),
    ),
    OpenAICompletionBody,
    {"model": "M", "prompt": "Once", "max_tokens": 6, "temperature": 0},
)

EMBEDDINGS = Route(
    "OpenAI",
    "POST /v1/embeddings",
    "/v1/embeddings",
    (
        honoured("model", "M"),
        honoured("input", "sky", "a text or a list of texts; tokens are refused"),
        honoured("encoding_format", "base64", "`float` or `base64`"),
        honoured("dimensions", 8),
        shown(
            "truncate",
            "api/test_openai_models_and_embeddings.py::test_a_long_input_is_cut_unless_the_caller_says_no",
            "Puna's own: `false` refuses an input that is too long",
        ),
        no_effect("user", "ada", ACCOUNT),
    ),
    OpenAIEmbeddingsBody,
    {"model": "E", "input": "grass"},
)

_SAID: Any = [{"role": "user", "content": "Why is the sky blue?"}]
_CALLED: Any = [*_SAID, {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}]
_RESULT: Any = [*_CALLED, {"type": "function_call_output", "call_id": "c1", "output": "sunny"}]
_PARTS: Any = [{"role": "user", "content": [{"type": "input_text", "text": "Why?"}]}]
_THOUGHT: Any = [*_SAID, {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]
_PARTED_RESULT: Any = [
    *_CALLED,
    {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "sunny"}]},
]
_IMAGE_RESULT: Any = [*_CALLED, {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_image"}]}]
_SEES = "api/test_hostile_media.py::test_T13_a_good_picture_is_answered"
_FILES = "no files are kept here"
_TOOL: Any = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}

RESPONSES = Route(
    "OpenAI",
    "POST /v1/responses",
    "/v1/responses",
    (
        honoured("model", "tools"),
        honoured("input[].type", "web_search_call", "what a hosted search found is left out", input=[*_PARTS, *SKY]),
        honoured("input[].role", "assistant", input=_PARTS, model="shows"),
        refused(
            "input[].content[].type",
            "input_file",
            f"anything but `input_text`, `output_text` and `input_image`: {_FILES}",
            input=_PARTS,
        ),
        honoured("input[].content[].text", "How?", input=_PARTS),
        shown("input[].content[].image_url", _SEES, "data only, never an address"),
        refused(
            "input[].content[].file_id", "f", _FILES, input=[{"role": "user", "content": [{"type": "input_image"}]}]
        ),
        honoured("input[].call_id", "c2", "finds the function that was called", input=_RESULT, model="shows"),
        honoured("input[].namespace", "sky", input=_CALLED, model="shows"),
        honoured("input[].name", "clock", input=_CALLED, model="shows"),
        honoured("input[].arguments", '{"city": "Lima"}', input=_CALLED, model="shows"),
        refused(
            "input[].output[].type",
            "input_file",
            f"anything but `input_text` and `input_image`: {_FILES}",
            input=_PARTED_RESULT,
        ),
        honoured("input[].output[].text", "rain", input=_PARTED_RESULT, model="shows"),
        shown("input[].output[].image_url", _SEES, "data only, never an address"),
        refused("input[].output[].file_id", "f", _FILES, input=_IMAGE_RESULT),
        no_effect("input[].summary[].type", "text", input=_THOUGHT, model="shows"),
        honoured("input[].summary[].text", "ho", input=_THOUGHT, model="shows"),
        no_effect("input[].summary[].image_url", "x", input=_THOUGHT, model="shows"),
        no_effect("input[].summary[].file_id", "x", input=_THOUGHT, model="shows"),
        honoured("input[].encrypted_content", "ha", "thoughts as they were sent out", input=_THOUGHT, model="shows"),
        honoured("instructions", "Be short."),
        honoured(
            "tools", [_TOOL], "functions and name spaces of them; hosted tools are left out and named", model="tools"
        ),
        honoured("tool_choice", "required", model="tools", tools=[_TOOL], max_output_tokens=40),
        shown("parallel_tool_calls", "api/test_openai_responses.py::test_one_call_at_most_where_that_is_asked_for"),
        honoured("max_output_tokens", 2),
        honoured("temperature", 2, "1 where it is not given, as at OpenAI", top_p=1),
        honoured("top_p", 1, temperature=2, top_p=0.0001),
        honoured("presence_penalty", 2, max_output_tokens=60),
        honoured("frequency_penalty", 2, max_output_tokens=60),
        honoured("top_logprobs", 2, "0 to 20"),
        honoured("include", ["message.output_text.logprobs"], "only this value has an effect"),
        honoured("reasoning.effort", "none", model="T"),
        no_effect(
            "reasoning.summary",
            "concise",
            "a summary is the whole reasoning; the answer repeats what was asked for",
            model="T",
        ),
        honoured("text.format", {"type": "json_object"}, "`text`, `json_object` or `json_schema`"),
        refused("text.verbosity", "low", "anything but `medium`: ask for short or long answers in words"),
        shown(
            "truncation",
            "api/test_openai_responses.py::test_a_prompt_that_does_not_fit_is_refused_where_that_is_asked_for",
            "`auto` where it is not given: the oldest part is left out, and the answer says how much",
        ),
        honoured("stream", True),
        refused("background", True, STORED),
        refused("previous_response_id", "resp_1", f"{STORED}; send the whole conversation"),
        refused("conversation", "conv_1", f"{STORED}; send the whole conversation"),
        refused("prompt", {"id": "p"}, "no prompts are stored here"),
        shown(
            "metadata", "api/test_openai_responses.py::test_what_loses_nothing_is_accepted", "comes back as it was sent"
        ),
        *(
            no_effect(name, value, note)
            for name, value, note in (
                ("store", True, STORED),
                ("user", "ada", ACCOUNT),
                ("safety_identifier", "ada", ACCOUNT),
                ("access_programs", ["a"], ACCOUNT),
                ("service_tier", "auto", ""),
                ("prompt_cache_key", "a", CACHE),
                ("prompt_cache_options", {"a": "b"}, CACHE),
                ("prompt_cache_retention", "24h", CACHE),
                ("max_tool_calls", 1, "a limit on hosted tools, of which there are none"),
                ("background_options", {}, STORED),
                ("context_management", [], STORED),
                ("stream_options", {"include_obfuscation": False}, "nothing is added to the events"),
                ("image", {}, TEXT_ONLY),
                ("moderation", {}, "nothing is moderated here"),
            )
        ),
    ),
    ResponsesBody,
    {"model": "M", "input": "Why is the sky blue?", "max_output_tokens": 6, "temperature": 0},
)

TRANSCRIPTIONS = Route(
    "OpenAI",
    "POST /v1/audio/transcriptions",
    "/v1/audio/transcriptions",
    (
        shown("model", "api/test_openai_audio.py::test_a_model_that_cannot_hear_is_refused_by_name"),
        shown("file", "api/test_openai_audio.py::test_the_sdk_gets_a_text", "WAV or MP3"),
        honoured("language", "es", "told to the model in words"),
        honoured("prompt", "Puno, Cusco", "told to the model in words"),
        honoured("response_format", "text", "`json` or `text`; `srt` and `vtt` need times and are refused"),
        honoured("temperature", "1", "0 to 1; 0 where it is not given"),
        refused("stream", "true", "the text comes as a whole"),
        refused("include[]", "logprobs", "no logprobs of a recording"),
        refused("timestamp_granularities[]", "word", "the models tell no times"),
        no_effect("chunking_strategy", "auto", "the recording is heard as a whole"),
        no_effect("keywords", "Puno", "put them into `prompt`"),
        no_effect("languages", "es", "put it into `language`"),
        no_effect("known_speaker_names", "Ada", "speakers are not told apart"),
        no_effect("known_speaker_references", "x", "speakers are not told apart"),
    ),
    base={"model": "hears"},
    note="A form, not JSON.",
)

ROUTES = (CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, TRANSCRIPTIONS)
