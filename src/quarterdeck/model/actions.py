"""Everything that can be done to a fleet, declared once: keys, palette, menu, help, bulk and command line read this table.

What is in here changes something on a server. Who may do it, and when it asks first, is decided by `quarterdeck.engine.operate`, below
every screen; what a target can't do, and why, by `quarterdeck.model.capability`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Danger(StrEnum):
    """What an action can cost, and so when it asks first."""

    HARMLESS = "harmless"
    """Never asks."""
    DISTURBS = "disturbs"
    """Asks where it would disturb something: requests that run, models that would be evicted."""
    DESTROYS = "destroys"
    """Always asks."""


class On(StrEnum):
    """What an action is done to."""

    ENDPOINT = "endpoint"
    MODEL = "model"
    """A model of an endpoint."""
    DEPLOYMENT = "deployment"


class Argument(NamedTuple):
    """Something an action has to be told."""

    name: str
    """In `Order.options`; on the command line --name, or a word where it is ``required``."""
    kind: type
    """``str``, ``int`` or ``float``."""
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()
    example: str = ""


class Action(NamedTuple):
    """Something that can be done."""

    id: str
    on: On
    label: str
    help: str
    danger: Danger
    engines: tuple[str, ...] = ()
    """Those that have it; () = of no engine (deployments)."""
    arguments: tuple[Argument, ...] = ()
    keys: tuple[str, ...] = ()
    """As the terminal library names them."""
    shown: str = ""
    """The keys as people read them."""
    typed: tuple[str, ...] = ()
    """The words of the command line; () = its id."""
    past: str = ""
    """What the result is called ("loaded")."""
    more: tuple[Argument, ...] = ()
    """What the command line may say besides; no form asks for it."""


_OLLAMA, _SWAP, _STUDIO, _LLAMA, _VLLM = "ollama", "llama-swap", "lmstudio", "llamacpp", "vllm"
_KEEP_ALIVE = Argument(
    "keep_alive", str, "How long it stays after its last request: 30m, 24h, or forever.", example="30m"
)
_CONTEXT = Argument("context", int, "Context length in tokens.", example="32768")
_WITHIN = Argument(
    "within",
    str,
    "How long its requests may go on, such as 30s, in place of stop_within. A stop that waits already is hurried by it.",
    example="30s",
)

ACTIONS = (
    Action("pull", On.ENDPOINT, "Pull", "Download a model to the endpoint.", Danger.HARMLESS, (_OLLAMA, _STUDIO, _LLAMA), (Argument("model", str, "Its name and tag.", required=True, example="qwen3:8b"),), ("P", "upper_p"), "P", past="pulled"),
    Action("load", On.MODEL, "Load", "Bring the model into memory.", Danger.DISTURBS, (_OLLAMA, _STUDIO, _LLAMA, _SWAP), (_KEEP_ALIVE, _CONTEXT), ("L", "upper_l"), "L", past="loaded"),
    Action("unload", On.MODEL, "Unload", "Take the model out of memory.", Danger.DISTURBS, (_OLLAMA, _STUDIO, _LLAMA, _SWAP), keys=("U", "upper_u"), shown="U", past="unloaded"),
    Action("unload_all", On.ENDPOINT, "Unload all", "Take every model of the endpoint out of memory.", Danger.DISTURBS, (_OLLAMA, _STUDIO, _LLAMA, _SWAP), typed=("unload-all",), past="unloaded"),
    Action("pin", On.MODEL, "Pin", "Keep the model in memory until it is unpinned.", Danger.HARMLESS, (_OLLAMA,), past="pinned"),
    Action("unpin", On.MODEL, "Unpin", "Let the model go when it is not used, after the usual time.", Danger.HARMLESS, (_OLLAMA,), (_KEEP_ALIVE,), past="unpinned"),
    Action("delete", On.MODEL, "Delete", "Delete the model from the endpoint's disk.", Danger.DESTROYS, (_OLLAMA, _LLAMA), keys=("D", "upper_d", "delete"), shown="D", typed=("rm",), past="deleted"),
    Action("copy", On.MODEL, "Copy", "Give the model a second name; no bytes are copied.", Danger.HARMLESS, (_OLLAMA,), (Argument("destination", str, "The new name.", required=True, example="qwen3:mine"),), typed=("cp",), past="copied"),
    Action("rename", On.MODEL, "Rename", "Give the model another name.", Danger.DISTURBS, (_OLLAMA,), (Argument("destination", str, "The new name.", required=True, example="qwen3:mine"),), typed=("mv",), past="renamed"),
    Action("sleep", On.ENDPOINT, "Sleep", "Take the weights off the GPUs; waking is faster than starting.", Danger.DISTURBS, (_VLLM,), (Argument("level", int, "1: weights to system memory; 2: weights discarded.", choices=("1", "2"), example="1"),), past="asleep"),
    Action("wake", On.ENDPOINT, "Wake", "Bring a sleeping server's weights back.", Danger.HARMLESS, (_VLLM,), past="awake"),
    Action("lora_load", On.ENDPOINT, "Load a LoRA adapter", "Load an adapter from a path that the server can read.", Danger.HARMLESS, (_VLLM,), (Argument("name", str, "What requests will call it.", required=True, example="sql"), Argument("path", str, "Its folder on the server, or its repository.", required=True, example="/adapters/sql")), typed=("lora", "add"), past="loaded"),
    Action("lora_unload", On.ENDPOINT, "Unload a LoRA adapter", "Take an adapter away.", Danger.DISTURBS, (_VLLM,), (Argument("name", str, "Its name.", required=True, example="sql"),), typed=("lora", "rm"), past="unloaded"),
    Action("reset_prefix_cache", On.ENDPOINT, "Reset the prefix cache", "Forget every cached prompt; the next ones take longer.", Danger.DISTURBS, (_VLLM,), typed=("reset-cache",), past="reset"),
    Action("start", On.DEPLOYMENT, "Start", "Start the server.", Danger.HARMLESS, past="started"),
    Action("stop", On.DEPLOYMENT, "Stop", "Let its requests end, then stop the server and everything it started.", Danger.DISTURBS, past="stopped", more=(_WITHIN,)),
    Action("restart", On.DEPLOYMENT, "Restart", "Stop the server, then start it.", Danger.DISTURBS, past="restarted", more=(_WITHIN,)),
)  # fmt: skip

BY_ID = {action.id: action for action in ACTIONS}
