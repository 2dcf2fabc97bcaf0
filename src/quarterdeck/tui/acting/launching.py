"""A vLLM is launched: the form with the exact command and what it would take, then a job and its row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.suggester import SuggestFromList

from quarterdeck.engine.launches import Launched, asking, begin, collisions, default_file, file_of, stop_with
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.format import printable
from quarterdeck.model.launch import DEFAULT_PORT, FIELDS, QUANTIZATIONS, Launch, broken, read
from quarterdeck.tui.acting.asking import typed_name
from quarterdeck.tui.acting.flow import refused
from quarterdeck.tui.lines import BAD, MUTED, STRONG, WARN
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.form import Answers, Field, FormScreen, Remark

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp

_READ_S = 15.0
_WIDTH = 70
_LABELS = {
    "tensor_parallel": "TP size",
    "max_model_len": "max model len",
    "gpu_memory_utilization": "GPU mem. share",
    "lora": "LoRA adapters",
    "gpus": "GPUs",
    "extra": "more arguments",
}
_EXAMPLES = {
    "model": "Qwen/Qwen3-8B, or a folder",
    "name": "qwen3 (empty: by the model)",
    "port": str(DEFAULT_PORT),
    "gpus": "0,1 (empty: all)",
    "tensor_parallel": "2 (empty: 1)",
    "max_model_len": "32768, 32k, auto (empty: the model's)",
    "gpu_memory_utilization": "0.9 or 90% (empty: vLLM's 0.92)",
    "quantization": "fp8 (empty: as the model says)",
    "lora": "sql=/adapters/sql (empty: none)",
    "extra": "--dtype float32 (empty: none)",
    "program": "/opt/vllm/bin/vllm (empty: vllm)",
    "save": "~/fleet.toml (empty: not saved)",
}
_HELP = {
    "model": "Its name on Hugging Face, or a folder on this machine.",
    "name": "What the deployment and its endpoint are called here.",
    "port": "It listens on 127.0.0.1 at this port.",
    "gpus": "The GPUs it may use, by their indices (CUDA_VISIBLE_DEVICES).",
    "tensor_parallel": "Tensor parallel: so many GPUs share the model; they divide its attention heads.",
    "max_model_len": "The longest context in tokens; less needs less KV cache.",
    "gpu_memory_utilization": "The share of each GPU's memory that vLLM takes.",
    "quantization": f"{', '.join(QUANTIZATIONS[:6])} … Empty where the model's own configuration says it.",
    "lora": "Adapters as NAME=PATH, several with spaces between them.",
    "extra": "Further arguments of vllm serve, with quotes as in a shell; no shell reads them.",
    "program": "The vllm to run: a name in PATH, or a path.",
    "save": "The fleet file it is saved in, with its comments kept. Empty: not saved.",
}


def open_form(app: ConsoleApp, answers: Answers | None = None, problem: str = "") -> None:
    """Ask what is to be launched; ``answers`` and ``problem``: of the try before. Refused at once where nothing may be changed."""
    if not refused(app, "Launch"):
        Form(app, answers or {}, problem).open()


class Form:
    """One launch, from the form to the job."""

    def __init__(self, app: ConsoleApp, answers: Answers, problem: str) -> None:
        """Asks nothing yet."""
        self._app, self._given, self._problem = app, answers, problem
        self._screen: FormScreen | None = None

    def open(self) -> None:
        """Show it."""
        remarks = [Remark(self._problem, BAD)] if self._problem else []
        screen = FormScreen(
            "Launch a vLLM on this machine", self._fields(), self._filled, remarks=remarks, tell=self._told,
            look_up=self._findings,
        )  # fmt: skip
        screen.inputs[0].suggester = SuggestFromList(cached_models(), case_sensitive=False)
        self._screen = screen
        self._app.push_screen(screen)

    def _fields(self) -> list[Field]:
        values = {"save": _short(default_file(self._app.watched)), **self._given}
        cached = cached_models()
        here = f" In the cache here (→ completes): {', '.join(cached[:6])}." if cached else ""
        return [
            Field(
                name,
                _LABELS.get(name, "save to" if name == "save" else name.replace("_", " ")),
                values.get(name, ""),
                _EXAMPLES[name],
                _HELP[name] + (here if name == "model" else ""),
                self._check(name),
            )
            for name in (*FIELDS, "save")
        ]

    def _check(self, name: str) -> Callable[[str], str]:
        """What is wrong with a field, the others being as they are."""

        def check(_: str) -> str:
            screen = self._screen
            return self._wrong(screen.answers).get(name, "") if screen is not None else ""

        return check

    def _wrong(self, answers: Answers) -> dict[str, str]:
        launch, wrong = read(answers)
        if launch is None:
            return wrong
        wrong = collisions(launch, self._app.watched)
        try:
            file_of(launch, answers["save"])
        except UsageError as error:
            wrong["save"] = error.message
        return wrong

    def _told(self, answers: Answers) -> list[Remark]:
        """The command, or what is wrong; and where it stays."""
        launch, wrong = read(answers)
        if launch is None:
            return [_wrong_remark(name, text) for name, text in wrong.items() if name != "model" or answers["model"]]
        lines = [Remark(part, STRONG) for part in broken(launch.shown_words, _WIDTH)]
        wrong = self._wrong(answers)
        if wrong:
            return [*(_wrong_remark(name, text) for name, text in wrong.items()), *lines]
        return [*lines, *self._kept(launch, answers["save"])]

    def _kept(self, launch: Launch, save_to: str) -> list[Remark]:
        file = file_of(launch, save_to)
        if not save_to:
            return [Remark(f"not saved: {stop_with(file, launch.called)}", MUTED)]
        if self._app.watched.source is None and not file.exists():
            text = f"{_short(file)} is new: the next start watches what it names, and no longer searches this machine"
            return [Remark(text, WARN)]
        return []

    async def _findings(self, answers: Answers) -> list[Remark]:
        from quarterdeck.tui.acting.preflight import launch_remarks

        launch, _ = read(answers)
        return await launch_remarks(self._app, launch) if launch is not None else []

    # ---- whether

    def _filled(self, answers: Answers | None) -> None:
        if answers is not None:
            self._given = answers
            self._app.run_worker(self._whether(answers), exit_on_error=False, group="acting")

    async def _whether(self, answers: Answers) -> None:
        """What will not work as far as is known is asked about; what is protected, by its name."""
        launch, _ = read(answers)
        if launch is None:
            return
        app = self._app
        asked = asking(launch, app.watched, read_only=app.read_only)
        if asked.refused:
            app.say(f"Launch: {asked.refused}", _READ_S)
            return
        bad = [remark.text for remark in await self._findings(answers) if remark.tone == BAD]

        def named(typed: Answers | None) -> None:
            if typed is not None:
                self._start(launch, answers, typed["name"])

        if asked.needs == "name":
            title = f"Launch: this machine is protected, so is {asked.name}"
            app.push_screen(FormScreen(title, [typed_name(asked.name)], named, remarks=[Remark(each) for each in bad]))
        elif bad:
            question = f"Launch {launch.called} all the same?"
            app.push_screen(ConfirmScreen(question, bad, "Launch", lambda: self._start(launch, answers, "yes")))
        else:
            self._start(launch, answers, "")

    # ---- do it

    def _start(self, launch: Launch, answers: Answers, confirmed: str) -> None:
        self._app.run_worker(self._begin(launch, answers, confirmed), exit_on_error=False, group="acting")

    async def _begin(self, launch: Launch, answers: Answers, confirmed: str) -> None:
        """Nothing that was typed is lost where it fails: the form comes back."""
        app = self._app
        try:
            done = await begin(launch, app.watched, answers["save"], confirmed=confirmed, read_only=app.read_only)
        except QuarterdeckError as error:
            words = printable(". ".join(part for part in (error.message, error.hint) if part), 300)
            app.say(f"Launch: {words}", _READ_S)
            open_form(app, answers, words)
            return
        if app.engine is not None:
            app.engine.add((done.endpoint,), (), (done.deployment,))
            app.fleet = app.engine.snapshot()
        app.follow_job(done.job)
        app.say(printable(_said(done, saved=bool(answers["save"])), 300), _READ_S)


def _said(done: Launched, *, saved: bool) -> str:
    where = f"saved in {_short(done.file)}" if saved else f"stop: {stop_with(done.file, done.deployment.name)}"
    return f"Launch: {done.deployment.name} is job {done.job.id}; 6 shows it; {where}"


def _wrong_remark(name: str, text: str) -> Remark:
    label = _LABELS.get(name, "save to" if name == "save" else name.replace("_", " "))
    return Remark(f"{label}: {text}", BAD)


def _short(path: Path) -> str:
    """With ~ for the home folder."""
    home = str(Path.home())
    text = str(path)
    return f"~{text[len(home) :]}" if home != "/" and text.startswith(home + "/") else text


def cached_models() -> list[str]:
    """The models in the hub's cache on this machine, by name; reads one folder."""
    import os

    from quarterdeck.engine.preflight.hub import cache_folder

    try:
        names = [each.name for each in cache_folder(os.environ).iterdir() if each.name.startswith("models--")]
    except (OSError, ValueError, RuntimeError):
        return []
    return sorted(printable(name.removeprefix("models--").replace("--", "/"), 200) for name in names[:500])
