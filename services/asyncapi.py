"""The integrator's contract as an AsyncAPI 3 document, made from the code that implements it.

Reads the event dataclasses, the routing tables of the pipeline and RabbitMQ's topology; `python -m
services.asyncapi` prints what `docs/asyncapi.yaml` holds. Separate, because it alone needs
both the events (`shared.contracts`) and their routes (pipeline, topology).
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from services.queues import QUEUES
from shared.contracts import codec
from shared.contracts.events import MailRejected, RecordChanged
from shared.contracts.fields import Kinds, made_of, members_of
from shared.lazy_dataclass import dataclass

Json = dict[str, Any]
RECORD_ACTIONS = (
    *("created", "updated", "resolved", "closed", "reopened", "deleted"),
    *("sla_due", "sla_breached", "imported"),
)
"""Events of a record; the last word of the routing key."""
BINDING = "0.3.0"
"""Version of AsyncAPI's AMQP bindings."""
_PLAIN: Mapping[Any, Json] = {
    plain: {"type": name} for plain, name in ((str, "string"), (int, "integer"), (bool, "boolean"), (float, "number"))
}
BASE = Path(__file__).with_name("asyncapi_base.yaml")
"""The parts that depend on no event: introduction, servers, and how raw mail is handed in."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes of events: `queues` maps an event to the work queue that reads it, `announced` an
    event to the routing keys under which it is published to integrators. `work` and `events` are the exchanges;
    `arguments` are those of each queue.
    """

    work: str
    events: str
    queues: Mapping[type, str]
    announced: Mapping[type, Sequence[str]]
    arguments: Mapping[str, Mapping[str, str | int]]


def document(routes: Routes, version: str) -> Json:
    """The whole AsyncAPI 3.0 document. `version` is the contract's."""
    base = yaml.safe_load(BASE.read_text("utf-8"))
    public = {key: cls for cls, keys in routes.announced.items() for key in keys}
    queues = list(dict.fromkeys(routes.queues.values()))
    intake = {**base["channels"]["intake"], "bindings": _by_key(routes.work)}
    return {
        **base,
        "info": {**base["info"], "version": version},
        "channels": {"intake": intake}
        | {_name(key): _announced_channel(routes, key, cls) for key, cls in public.items()}
        | {_internal_name(queue): _internal_channel(routes, queue) for queue in queues},
        "operations": base["operations"]
        | {f"announce{_capital(key)}": _announce(key) for key in public}
        | {f"work{_capital(queue)}": _work(queue) for queue in queues},
        "components": {
            "messages": base["components"]["messages"]
            | {name: _message(name, cls) for name, cls in codec.EVENTS.items()},
            "schemas": _schemas(codec.EVENTS.values()),
            "securitySchemes": base["components"]["securitySchemes"],
        },
    }


# -- what is announced to integrators


def _announced_channel(routes: Routes, key: str, cls: type) -> Json:
    return {
        "address": key,
        "title": key,
        "description": f"Bind a queue of your own to `{routes.events}` with `{key}` or, for everything, `#`.",
        "messages": {cls.__name__: {"$ref": f"#/components/messages/{cls.__name__}"}},
        "tags": [{"name": "integrators"}],
        "bindings": _by_key(routes.events),
    }


def _announce(key: str) -> Json:
    channel = f"#/channels/{_name(key)}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "summary": f"`{key}` happened. Published once, best effort, with or without a listener.",
        "tags": [{"name": "integrators"}],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": False, "bindingVersion": BINDING}},
    }


# -- between the workers


def _internal_channel(routes: Routes, queue: str) -> Json:
    readers = [cls.__name__ for cls, to in routes.queues.items() if to == queue]
    return {
        "address": f"{routes.work}.{queue}",
        "title": f"Work of the {queue}",
        "description": "Internal: published by Postroom's workers only, read by one of them. Do not build on it.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in readers},
        "tags": [{"name": "internal"}],
        "x-arguments": dict(routes.arguments.get(f"{routes.work}.{queue}", {})),
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {"name": f"{routes.work}.{queue}", "durable": True, "exclusive": False, "autoDelete": False},
                "bindingVersion": BINDING,
            }
        },
    }


def _work(queue: str) -> Json:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{_internal_name(queue)}"},
        "summary": f"Internal: the {queue}'s work.",
        "tags": [{"name": "internal"}],
        "bindings": {"amqp": {"ack": True, "bindingVersion": BINDING}},
    }


def _by_key(exchange: str) -> Json:
    topic = {"name": exchange, "type": "topic", "durable": True, "autoDelete": False}
    return {"amqp": {"is": "routingKey", "exchange": topic, "bindingVersion": BINDING}}


# -- messages and their schemas


def _message(name: str, cls: type) -> Json:
    return {
        "name": name,
        "title": _first_line(cls),
        "contentType": "application/json",
        "description": (
            "AMQP properties: `type` is the event's name, `message_id` the same for the same cause (use it to "
            "ignore repetitions), `correlation_id` the mail's id. Ignore members that you do not know."
        ),
        "headers": {
            "type": "object",
            "required": ["version"],
            "properties": {
                "version": {"type": "integer", "minimum": 1, "description": f"Schema version, now {codec.VERSION}."},
                "cause": _text("The `message_id` of the message because of which this one was published."),
                "at": {"type": "integer", "description": "When it was published, seconds since 1970 UTC."},
                "traceparent": _text("W3C Trace Context."),
            },
        },
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"amqp": {"messageType": name, "bindingVersion": BINDING}},
    }


def _schemas(classes: typing.Iterable[type]) -> Json:
    """Each class, and every class that its fields mention."""
    found: Json = {}
    waiting = list(classes)
    while waiting:
        cls = waiting.pop(0)
        if cls.__name__ not in found:
            found[cls.__name__] = _object(cls)
            waiting += [inner for each in members_of(cls) for inner in made_of(each.type, _CLASSES)]
    return dict(sorted(found.items()))


_CLASSES: Final = Kinds(
    {},
    of_class=lambda cls: [cls],
    of_list=lambda item: item,
    of_mapping=lambda _keys, values: values,
    of_choice=lambda _: [],
    of_union=lambda arms, _: [each for arm in arms for each in arm],
    of_other=lambda _: [],
)
"""The classes that a type mentions."""


def _object(cls: Any) -> Json:
    members = members_of(cls)
    required = [each.plain for each in members if each.required]
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(cls) or "").split()),
        **({"required": required} if required else {}),
        "properties": {each.plain: _property(made_of(each.type, _SCHEMAS), each.default) for each in members},
    }


def _property(schema: Json, default: object) -> Json:
    takes_default = isinstance(default, str | int | bool) and "$ref" not in schema
    return {**schema, "default": default} if takes_default else schema


def _or_null(schema: Json) -> Json:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"oneOf": [schema, {"type": "null"}]}


_SCHEMAS: Final = Kinds(
    _PLAIN,
    of_class=lambda cls: {"$ref": f"#/components/schemas/{cls.__name__}"},
    of_list=lambda item: {"type": "array", "items": item},
    of_mapping=lambda _keys, _values: {"type": "object"},
    of_choice=lambda words: {"type": "string", "enum": list(words)},
    of_union=lambda arms, _: _or_null(arms[0]),
    of_other=lambda _: {},
)


def _text(description: str) -> Json:
    return {"type": "string", "description": description}


def _first_line(cls: type) -> str:
    return (inspect.getdoc(cls) or cls.__name__).split("\n", 1)[0].rstrip(".")


def _capital(words: str) -> str:
    return "".join(word.capitalize() for word in words.replace("-", ".").split("."))


def _name(key: str) -> str:
    capital = _capital(key)
    return capital[:1].lower() + capital[1:]


def _internal_name(queue: str) -> str:
    return f"{_name(queue)}Queue"


# -- the routes of this code


def routes_of_the_pipeline() -> Routes:
    """The pipeline's routes on RabbitMQ's topology."""
    from services import pipeline
    from shared.rabbitmq import topology

    table = topology.topology(QUEUES)
    return Routes(
        work=table.work,
        events=table.events,
        queues=pipeline.ROUTES,
        announced={cls: _keys(cls, name) for cls, name in pipeline.ANNOUNCED.items()},
        arguments={queue.name: queue.arguments for queue in table.queues},
    )


def _keys(cls: type, name: Callable[[Any], str]) -> Sequence[str]:
    if cls is RecordChanged:
        return [name(RecordChanged("", "", action, "", "", "")) for action in RECORD_ACTIONS]
    return [name(MailRejected("", "", "", ""))]


def rendered() -> str:
    """`docs/asyncapi.yaml`, as text."""

    class Dumper(yaml.SafeDumper):
        """Texts of several lines stay readable, and nothing is an alias."""

        def ignore_aliases(self, _: object) -> bool:
            return True

    Dumper.add_representer(str, _as_block)
    made = document(routes_of_the_pipeline(), f"{codec.VERSION}.0.0")
    text = yaml.dump(made, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
    return f"# Made by `python -m services.asyncapi`; a test keeps it true.\n{text}"


def _as_block(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text and "\r" not in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


if __name__ == "__main__":
    sys.stdout.write(rendered())
