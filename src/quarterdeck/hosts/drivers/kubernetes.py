"""A Deployment or LeaderWorkerSet of Kubernetes, scaled up to start and to zero to stop: ``kubectl``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.format import duration, printable
from quarterdeck.hosts.drivers.base import DriverError, Running, Say, Status
from quarterdeck.hosts.drivers.tool import Pause, ask, handle, wait_for
from quarterdeck.hosts.drivers.words import named

_EVERY_S = 2.0
_ANSWER_S = 15
_LWS_NAME = "leaderworkerset.sigs.k8s.io/name"
_LWS_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"
_MOST_LOGS = 20


class KubernetesDriver:
    """Scales ``spec.resource``."""

    def __init__(self, spec: DeploymentSpec, *, pause: Pause = time.sleep) -> None:
        """``pause``: how it waits between two looks."""
        self._spec = spec
        self._pause = pause

    def start(self, say: Say) -> None:
        """Scale it to ``spec.replicas``."""
        wanted = _wanted(self._object())
        if wanted:
            raise DriverError(f"{self._resource} runs already: it is scaled to {wanted}")
        ask(self._kubectl("scale", f"--replicas={self._spec.replicas}", "--", self._resource))
        say(f"{self._resource} is scaled to {self._spec.replicas}")

    def stop(self, grace: float, say: Say) -> str:
        """Scale it to zero and wait until its pods are gone. Kubernetes itself kills what outstays a pod's grace period."""
        given = self._object()
        selector = _selector(given, self._resource)
        if not self._pods(selector) and not _wanted(given):
            return "it doesn't run"
        ask(self._kubectl("scale", "--replicas=0", "--", self._resource))
        say(f"{self._resource} is scaled to 0; its pods get up to {duration(grace)}")
        if wait_for(lambda: not self._pods(selector), grace, every=_EVERY_S, pause=self._pause):
            return "scaled to 0, and no pod is left"
        left = self._pods(selector)
        if not left:
            return "scaled to 0, and no pod is left"
        raise DriverError(
            f"scaled to 0, but {len(left)} of its pods are still there after {duration(grace)}: {named(left)}"
        )

    def status(self) -> Status:
        """What the object's spec and status say."""
        try:
            return _status(self._object())
        except DriverError as error:
            if "(NotFound)" in str(error):
                return Status(Running.UNKNOWN, f"there is no {self._resource}")
            raise

    def log_command(self, lines: int, *, follow: bool, since: float | None = None) -> tuple[str, ...]:
        """``kubectl logs``: of a pod of the deployment, or of the leaders of a set."""
        more = (f"--tail={max(0, lines)}", *(("--follow",) if follow else ()))
        kind, _, name = self._resource.partition("/")
        if kind == "leaderworkerset":
            leaders = f"--selector={_LWS_NAME}={name},{_LWS_INDEX}=0"
            return self._kubectl("logs", leaders, f"--max-log-requests={_MOST_LOGS}", *more, deadline=False)
        return self._kubectl("logs", *more, "--", self._resource, deadline=False)

    @property
    def _resource(self) -> str:
        return handle(self._spec.resource, "a Kubernetes resource")

    def _kubectl(self, *words: str, deadline: bool = True) -> tuple[str, ...]:
        where = [f"--context={self._spec.context}"] if self._spec.context else []
        where += [f"--namespace={self._spec.namespace}"] if self._spec.namespace else []
        return ("kubectl", *where, *((f"--request-timeout={_ANSWER_S}s",) if deadline else ()), *words)

    def _object(self) -> Mapping[str, Any]:
        return _json(ask(self._kubectl("get", "--output=json", "--", self._resource)))

    def _pods(self, selector: str) -> list[str]:
        """Names of its pods, those that are ending included."""
        items = _json(ask(self._kubectl("get", "pods", "--output=json", f"--selector={selector}"))).get("items")
        if not isinstance(items, list):
            raise DriverError("kubectl answered something else than a list of pods")
        return [printable(str(_part(pod, "metadata").get("name", "?"))) for pod in items]


def _json(text: str) -> Mapping[str, Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise DriverError("kubectl answered something else than an object")
    return given


def _part(of: object, name: str) -> Mapping[str, Any]:
    part = of.get(name) if isinstance(of, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _number(of: Mapping[str, Any], name: str) -> int:
    value = of.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _wanted(given: Mapping[str, Any]) -> int:
    """How many replicas it shall have; Kubernetes takes 1 where nothing is said."""
    return _number(_part(given, "spec"), "replicas") if "replicas" in _part(given, "spec") else 1


def _selector(given: Mapping[str, Any], resource: str) -> str:
    kind, _, name = resource.partition("/")
    if kind == "leaderworkerset":
        return f"{_LWS_NAME}={name}"
    labels = _part(_part(_part(given, "spec"), "selector"), "matchLabels")
    if not labels:
        raise DriverError(f"{resource} has no matchLabels: which pods are its can't be told")
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _status(given: Mapping[str, Any]) -> Status:
    wanted, told = _wanted(given), _part(given, "status")
    there, ready = _number(told, "replicas"), _number(told, "readyReplicas")
    if not wanted:
        return Status(Running.RUNNING, f"{there} still there") if there else Status(Running.STOPPED, "scaled to 0")
    words = f"{ready} of {wanted} ready"
    trouble = _trouble(told.get("conditions"))
    if trouble and not ready:
        return Status(Running.FAILED, f"{words}: {trouble}")
    return Status(Running.RUNNING, words)


def _trouble(conditions: object) -> str:
    """Why it makes no progress; "" where it does."""
    for condition in conditions if isinstance(conditions, list) else ():
        kind, state = _part({"c": condition}, "c").get("type"), _part({"c": condition}, "c").get("status")
        if (kind, state) in (("Progressing", "False"), ("ReplicaFailure", "True")):
            return printable(str(condition.get("message") or condition.get("reason") or kind))
    return ""
