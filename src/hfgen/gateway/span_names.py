"""Names of OpenTelemetry's conventions for generative AI that the gateway uses.

The conventions are still "Development" and their Python package changes with them: what is written here stays.
(opentelemetry.io/docs/specs/semconv/gen-ai, 2026-11; `gen_ai.system`, `.prompt` and `.completion` are deprecated.)
"""

from typing import Final

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_CHOICES: Final = "gen_ai.request.choice.count"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_STOP: Final = "gen_ai.request.stop_sequences"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
OUTPUT_TYPE: Final = "gen_ai.output.type"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
ERROR: Final = "error.type"
ADDRESS: Final = "server.address"
PORT: Final = "server.port"
METHOD: Final = "http.request.method"
ROUTE: Final = "http.route"
STATUS: Final = "http.response.status_code"
REQUEST_ID: Final = "hfgen.request_id"
OF_WHICH_KIND: Final = "gen_ai.token.type"
# Of figures.
OPERATION_SECONDS: Final = "gen_ai.client.operation.duration"
SERVED_SECONDS: Final = "gen_ai.server.request.duration"
TIME_TO_FIRST: Final = "gen_ai.server.time_to_first_token"
TIME_FOR_EACH: Final = "gen_ai.server.time_per_output_token"
TOKENS: Final = "gen_ai.client.token.usage"

# Arguments of `create_async_generator`, and what the conventions call them.
REQUEST: Final = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "seed": "gen_ai.request.seed",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}
CAPTURE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The variable that lets prompts and answers into spans."""
CAPTURES: Final = frozenset({"true", "span_only", "span_and_event"})
