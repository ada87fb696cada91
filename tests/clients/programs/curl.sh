#!/bin/sh
# curl, as in every README.
set -u
wrong=0
ask() { curl -sS --max-time 30 -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' "$@"; }
has() { # what holds; what has to be found; in what
    case "$3" in
    *"$2"*) echo "  ok    $1" ;;
    *)
        echo "  WRONG $1: no $2 in $3"
        wrong=1
        ;;
    esac
}
hello='"messages":[{"role":"user","content":"Say hello."}]'
has "a whole answer has its text" '"content":"Streams end with a reason."' "$(ask "$GATEWAY/v1/chat/completions" -d "{\"model\":\"toy\",$hello}")"
stream=$(ask -N -D - "$GATEWAY/v1/chat/completions" -d "{\"model\":\"toy\",\"stream\":true,$hello}")
has "a stream is one of events" "text/event-stream" "$stream"
has "nothing holds a stream back" "x-accel-buffering: no" "$stream"
has "a stream ends with its mark" "data: [DONE]" "$stream"
has "every answer has a request id" "x-request-id: req_" "$stream"
has "an explicit false is no stream" '"object":"chat.completion"' "$(ask "$GATEWAY/v1/chat/completions" -d "{\"model\":\"toy\",\"stream\":false,$hello}")"
has "what is no JSON is refused" '"code":"invalid_json"' "$(ask "$GATEWAY/v1/chat/completions" -d '{')"
has "no key, no answer" '"code":"invalid_api_key"' "$(curl -sS --max-time 30 "$GATEWAY/v1/models")"
has "the process says that it lives" '"ok"' "$(curl -sS --max-time 30 "$GATEWAY/health")"
has "a picture is painted" '"b64_json":"' "$(ask "$GATEWAY/v1/images/generations" -d '{"model":"painter","prompt":"A fox"}')"
has "the real engine streams" "data: [DONE]" "$(ask -N "$LOCAL/v1/chat/completions" -d "{\"model\":\"local\",\"max_tokens\":8,\"stream\":true,$hello}")"
exit $wrong
