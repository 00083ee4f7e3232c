#!/bin/sh
# Hand mails to Postroom through RabbitMQ's management API, with nothing but curl.
#
#     publish.sh [-i INBOX] [-s SOURCE_ID] MAIL.eml...
#
# RABBITMQ_API names the API (default http://localhost:15672), RABBITMQ_USER and RABBITMQ_PASSWORD the user
# (default guest), RABBITMQ_VHOST the vhost (default /). Ends with 0 when every mail was put into a queue, with 75
# ("try again later") when not. For a few mails and for trying things out: the API answers before the mail is
# on disk everywhere; publish.py and node/publish.js wait for RabbitMQ's confirm.
set -u

api=${RABBITMQ_API:-http://localhost:15672}
vhost=$(printf %s "${RABBITMQ_VHOST:-/}" | sed 's/%/%25/g; s,/,%2F,g')
headers=
start="start Postroom once on this broker, it makes what is missing"
usage() { echo "usage: publish.sh [-i INBOX] [-s SOURCE_ID] MAIL.eml..." >&2; exit 2; }
later() { echo "not taken: $1" >&2; exit 75; }

# Names go into JSON as they are, so nothing that JSON would read otherwise is let in.
header() {
  case $2 in *[\"\\]* | *[[:cntrl:]]*) echo "a name holds no quotation marks, backslashes or control characters" >&2; exit 2 ;; esac
  headers="$headers${headers:+,}\"$1\":\"$2\""
}

while getopts i:s: option; do
  case $option in
    i) header inbox "$OPTARG" ;;
    s) header source-id "$OPTARG" ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage

body=$(mktemp) || later "no temporary file"
trap 'rm -f "$body"' EXIT

for mail in "$@"; do
  [ -r "$mail" ] && [ ! -d "$mail" ] || later "$mail cannot be read"
  id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  {
    printf '{"properties":{"content_type":"message/rfc822","delivery_mode":2,"message_id":"%s","headers":{%s}},' "$id" "$headers"
    printf '"routing_key":"intake","payload_encoding":"base64","payload":"'
    base64 <"$mail" | tr -d '\n'
    printf '"}'
  } >"$body"
  # The password goes through standard input, so that no process list shows it.
  answer=$(
    printf 'user = "%s:%s"\n' "${RABBITMQ_USER:-guest}" "${RABBITMQ_PASSWORD:-guest}" |
      curl --silent --show-error --max-time 60 --config - --header 'content-type: application/json' \
        --data-binary "@$body" "$api/api/exchanges/$vhost/postroom/publish"
  ) || later "RabbitMQ's management API at $api cannot be reached"
  case $answer in
    *'"routed":true'*) echo "taken: $mail  $id" ;;
    *'"routed":false'*) later "the exchange 'postroom' has no queue for intake; $start" ;;
    *"no exchange"* | *exchange_not_found*) later "RabbitMQ at $api has no exchange 'postroom'; $start" ;;
    *) later "RabbitMQ's management API at $api answers: $answer" ;;
  esac
done
