"""What is asked before something is done: which of them, with what, and whether, in this order; then it is a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable
from quarterdeck.model.actions import ACTIONS, Action, Danger, On
from quarterdeck.model.job import Job, Order
from quarterdeck.tui.acting.asking import fields, options, typed_name
from quarterdeck.tui.acting.choices import Choice, Target, choice, choices, order_of
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.screens.choose import ChooseScreen, Item
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.form import Answers, FormScreen, Remark

if TYPE_CHECKING:
    from quarterdeck.engine.safety import Asking
    from quarterdeck.tui.app import ConsoleApp

_READ_S = 12.0

Orders = Sequence[tuple[Target, Order]]


def begin(app: ConsoleApp, selected: Sequence[Target], action: Action | None = None) -> None:
    """Ask what is to be done to the selected rows, or do ``action``."""
    Flow(app, selected).begin(action)


def carry_out(app: ConsoleApp, action: Action, orders: Orders) -> None:
    """Ask what is to be asked before orders that are complete, then have them done."""
    if not refused(app, action.label):
        Flow(app, [target for target, _ in orders]).whether(action, orders)


def refused(app: ConsoleApp, title: str) -> bool:
    """Whether nothing may be changed from this console; then a notice says so, and takes what was typed ahead."""
    if not (app.read_only or app.watched.console.read_only):
        return False
    from quarterdeck.tui.screens.notice import NoticeScreen

    app.push_screen(NoticeScreen(title, _why_read_only(app)))
    return True


def _why_read_only(app: ConsoleApp) -> str:
    if app.replay_bar:
        return "This is a recording: nothing can be asked or changed."
    if app.locked:
        return "read-only: nothing may be changed from here until “Read-only” in the palette (:) switches that off."
    return "read-only: nothing may be changed from here. The fleet file says so (read_only), or --read-only did."


def deployments_of(app: ConsoleApp) -> dict[str, str]:
    """The deployment by the name of the endpoint it becomes."""
    return {spec.endpoint: spec.name for spec in app.watched.deployments}


class Flow:
    """The questions, one after the other. Each opens the next at once, so that what is typed ahead goes where it was meant for."""

    def __init__(self, app: ConsoleApp, selected: Sequence[Target]) -> None:
        """Asks nothing yet."""
        self._app = app
        self._selected = selected
        self._known = deployments_of(app)
        self._left_out = ""
        """What is to be said of those that are not acted on."""

    def begin(self, action: Action | None) -> None:
        """What? Where nothing may be changed, that is said before anybody fills in anything."""
        if refused(self._app, action.label if action is not None else "Act"):
            return
        if action is not None:
            self._chosen(choice(action, self._selected, self._known))
            return
        offered = choices(self._selected, self._known)
        items = [
            Item(each.action.label, _aside(each.action), self._key(each.action), each.reason, each.action.help)
            for each in offered
        ]
        self._app.push_screen(ChooseScreen(_called(self._selected), items, lambda place: self._chosen(offered[place])))

    def _key(self, action: Action) -> str:
        """The first key of an action, as people read it."""
        keys, screen = self._app.key_table, self._app.in_view
        shown = action.shown if keys is None or screen is None else keys.action(action, screen.where).shown
        return shown.partition(" ")[0]

    def _chosen(self, chosen: Choice) -> None:
        """To which: of an endpoint's row and an action on models, which model; else all."""
        if chosen.reason:
            from quarterdeck.tui.screens.notice import NoticeScreen

            self._app.push_screen(NoticeScreen(chosen.action.label, chosen.reason))
            return
        targets, self._left_out = chosen.targets, chosen.left_out
        several = chosen.action.on is On.MODEL and len(targets) > 1 and not any(each.model for each in self._selected)
        if not several or len({id(each.view) for each in targets}) > 1:
            self._with_what(chosen.action, targets)
            return
        items = [Item(each.model.label, model_look(each.model.state).word) for each in targets if each.model]
        title = f"{chosen.action.label}: which model?"
        self._app.push_screen(
            ChooseScreen(title, items, lambda place: self._with_what(chosen.action, (targets[place],)))
        )

    def _with_what(self, action: Action, targets: Sequence[Target]) -> None:
        """With which arguments."""
        if not action.arguments:
            self.whether(action, [(each, order_of(action, each, {}, self._known)) for each in targets])
            return

        def filled(answers: Answers | None) -> None:
            if answers is not None:
                self.whether(action, self._orders(action, targets, answers))

        async def look_up(answers: Answers) -> list[Remark]:
            from quarterdeck.tui.acting.preflight import remarks

            return await remarks(self._app, self._orders(action, targets, answers))

        title = f"{action.label}: {_called(targets)}"
        self._app.push_screen(FormScreen(title, fields(action), filled, look_up=look_up))

    def _orders(self, action: Action, targets: Sequence[Target], answers: Answers) -> Orders:
        given = options(action, answers)
        return [(target, order_of(action, target, given, self._known)) for target in targets]

    def whether(self, action: Action, orders: Orders) -> None:
        """Really?"""
        from quarterdeck.engine.safety import asks

        app = self._app
        asked = [asks(app.watched, order, view=target.view, read_only=app.read_only) for target, order in orders]
        why = next((asking.refused for asking in asked if asking.refused), "")
        if why:
            app.say(f"{action.label}: {why}", _READ_S)
        elif names := [asking.name for asking in asked if asking.needs == "name"]:
            self._by_name(action, orders, names, self._impact(orders, asked))
        elif any(asking.needs == "yes" for asking in asked):
            about = orders[0][1].about if len(orders) == 1 else f"{len(orders)} of them"
            question = f"{action.label} {about}?"
            app.push_screen(
                ConfirmScreen(
                    question, self._impact(orders, asked), action.label, lambda: self._do(action, orders, "yes")
                )
            )
        else:
            self._do(action, orders, "")

    def _by_name(self, action: Action, orders: Orders, names: Sequence[str], impact: Sequence[str]) -> None:
        """What is protected is acted on by who types its name."""
        one = len(names) == 1
        wanted = names[0] if one else f"{len(names)} protected"

        def typed(answers: Answers | None) -> None:
            if answers is not None:
                self._do(action, orders, answers["name"])

        title = f"{action.label}: {wanted} {'is' if one else 'are'} protected"
        remarks = [Remark(line) for line in impact]
        self._app.push_screen(FormScreen(title, [typed_name(wanted)], typed, remarks=remarks))

    def _do(self, action: Action, orders: Orders, confirmed: str) -> None:
        """In the background: it goes on when the screen is left."""
        submitting = _submit(self._app, action, orders, confirmed, self._left_out)
        self._app.run_worker(submitting, exit_on_error=False, group="acting")

    def _impact(self, orders: Orders, asked: Sequence[Asking]) -> list[str]:
        return [*_impact(orders, asked), *([self._left_out] if self._left_out else [])]


def _aside(action: Action) -> str:
    return "asks first" if action.danger is Danger.DESTROYS else ""


def _called(selected: Sequence[Target]) -> str:
    if len(selected) != 1:
        return f"{len(selected)} marked rows"
    only = selected[0]
    return f"{only.model.label} on {only.view.name}" if only.model else only.view.name


def _impact(orders: Orders, asked: Sequence[Asking]) -> list[str]:
    """What it means, a sentence each; of several, with their names before it."""
    if len(orders) == 1:
        return list(asked[0].impact)
    return [
        f"{order.about}: {'; '.join(asking.impact) or 'nothing is disturbed'}"
        for (_, order), asking in zip(orders, asked, strict=True)
    ]


async def _submit(app: ConsoleApp, action: Action, orders: Orders, confirmed: str, left_out: str = "") -> None:
    from quarterdeck.engine.operate import submit

    jobs: list[Job] = []
    refused: list[str] = []
    for target, order in orders:
        try:
            name = order.target if confirmed not in ("", "yes") else confirmed
            jobs.append(await submit(app.watched, order, confirmed=name, read_only=app.read_only, view=target.view))
        except QuarterdeckError as error:
            refused.append(". ".join(part for part in (error.message, error.hint) if part))
    for job in jobs:
        app.follow_job(job)
    said = [_said(action, orders, jobs, refused), left_out]
    app.say(printable(". ".join(part for part in said if part), 300), _READ_S)


def _said(action: Action, orders: Orders, jobs: Sequence[Job], refused: Sequence[str]) -> str:
    parts = []
    if len(jobs) == 1:
        parts.append(f"{action.label}: {jobs[0].order.about} is job {jobs[0].id}; 6 shows it")
    elif jobs:
        parts.append(f"{action.label}: {len(jobs)} jobs; 6 shows them")
    if refused:
        parts.append(refused[0] if len(refused) == 1 else f"{len(refused)} of {len(orders)} refused: {refused[0]}")
    return ". ".join(parts)


def by_id(identity: str) -> Action:
    """An action of the table."""
    return next(action for action in ACTIONS if action.id == identity)
