"""A prompt to a model, and its answer read out as it comes. Whether it may leave is decided where every prompt is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from quarterdeck.engine.chat.attaching import prompt_of
from quarterdeck.engine.chat.onward import onward_of
from quarterdeck.engine.chat.sending import Exchange, Wish
from quarterdeck.engine.comparing.naming import target
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.chat.answer import Answer, Ending, Piece
from quarterdeck.model.chat.boundary import Rule
from quarterdeck.model.chat.request import ChatRequest, Message, Role
from quarterdeck.model.fleet import Boundary
from quarterdeck.reader import speech
from quarterdeck.reader.here import Here, Talk
from quarterdeck.reader.speech import lasting, name, sentence, spoken
from quarterdeck.reader.streaming import Lines

if TYPE_CHECKING:
    from quarterdeck.model.cases.result import Target

FIRST_WORD_S = 10.0
"""Nobody knows whether silence is work: so long after the question, and then twice as long each time, that is said."""


async def ask(here: Here, rest: str) -> None:
    """`ask MODEL@ENDPOINT PROMPT`: begin a conversation. Raises QuarterdeckError."""
    named, _, prompt = rest.partition(" ")
    if not named:
        raise UsageError("which model?", hint="It is typed so: ask MODEL@ENDPOINT PROMPT. models lists them.")
    meant = target(named, here.engine.snapshot())
    prompt = prompt.strip() or await here.answer(f"Your prompt to {name(meant.model)}:")
    if not prompt:
        raise UsageError("nothing was asked")
    await _say(here, Talk(meant), prompt)


async def more(here: Here, rest: str) -> None:
    """`more PROMPT`: go on with the last conversation. Raises QuarterdeckError."""
    if here.talk is None:
        raise UsageError("there is no conversation to go on with", hint="ask MODEL@ENDPOINT PROMPT begins one.")
    prompt = rest.strip() or await here.answer("Your prompt:")
    if not prompt:
        raise UsageError("nothing was asked")
    await _say(here, here.talk, prompt)


async def _say(here: Here, talk: Talk, text: str) -> None:
    prompt = await asyncio.to_thread(prompt_of, text)
    files = tuple(dict.fromkeys((*talk.files, *prompt.files)))
    external = await _permitted(here, talk.target, files)
    messages = (*talk.messages, Message(Role.USER, prompt.text, prompt.images))
    request = ChatRequest(talk.target.model, messages)
    exchange = Exchange(here.engine, here.session, Wish(talk.target.endpoint, request, files))
    outside = ", which is external" if external else ""
    with here.silence():
        await here.voice.say([f"Asking {name(talk.target.model)} on {name(talk.target.endpoint)}{outside}."])
        try:
            await _read_out(here, exchange)
        finally:
            answer = exchange.answer
            if answer.text:
                said = (*messages, Message(Role.ASSISTANT, answer.text))
                here.talk = Talk(talk.target, said, files, talk.sitting)
            await _keep(here, talk.sitting, request, answer)
        await here.voice.say(ending(answer))


async def _permitted(here: Here, meant: Target, files: tuple[str, ...]) -> bool:
    """It may go there, or somebody says so now; whether it leaves. Raises UsageError."""
    fleet, session = here.engine.fleet, here.session
    spec = next((spec for spec in fleet.endpoints if spec.name == meant.endpoint), None)
    if spec is None:
        raise UsageError(f"no endpoint is called {meant.endpoint!r} any more")
    session.hold((spec,))
    beyond = onward_of(fleet, here.engine.snapshot(), spec.name, meant.model)
    verdict = await asyncio.to_thread(session.verdict, fleet, spec, files, (beyond,) if beyond is not None else ())
    if verdict.rule is Rule.NEVER:
        raise UsageError(f"{spec.name}: {verdict.reason}", hint="Nothing was sent.")
    if verdict.rule is Rule.ASK:
        await here.voice.say([sentence(f"{name(spec.name)}: {spoken(verdict.reason)}")])
        if not await here.agrees("Send it there?"):
            raise UsageError("nothing was sent")
        session.agree(spec.name, files)
    return beyond is not None or spec.boundary is Boundary.EXTERNAL


async def _read_out(here: Here, exchange: Exchange) -> None:
    """Say its lines as they become whole; cancelled, it ends the exchange."""
    lines, came = Lines(), asyncio.Event()
    ready: list[str] = []
    thought = False

    def take(piece: Piece) -> None:
        nonlocal thought
        if piece.reasoning and not thought and not exchange.answer.parts:
            thought = True
            ready.append("It thinks first.")
        ready.extend(lines.take(piece.text))
        if ready:
            came.set()

    running = asyncio.ensure_future(exchange.run(take))
    running.add_done_callback(lambda _: came.set())
    patience = FIRST_WORD_S
    try:
        while not running.done():
            try:
                async with asyncio.timeout(patience):
                    await came.wait()
            except TimeoutError:
                passed = here.engine.clock.monotonic() - exchange.answer.sent_at
                ready.append(f"Nothing to read yet, after {lasting(passed)}.")
                patience *= 2
            came.clear()
            told, ready[:] = ready[:], []
            await here.voice.say(told)
        await here.voice.say([*ready, *lines.end()])
        await running
    finally:
        if not running.done():
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def ending(answer: Answer) -> list[str]:
    """How it ended, and what has to be known of it. Pure."""
    if answer.ending is not Ending.DONE:
        word = "Not sent" if answer.ending is Ending.FORBIDDEN else "The answer FAILED"
        return [sentence(f"{word}: {spoken(answer.reason)}")]
    parts = [speech.counted(answer.output_tokens, "token")] if answer.output_tokens is not None else []
    parts += [f"first after {speech.seconds(answer.ttft_s)}"] if answer.ttft_s is not None else []
    parts += [f"{speech.number(answer.decode_tps)} tokens per second"] if answer.decode_tps is not None else []
    parts += [f"cost {answer.cost:.6f} US dollars"] if answer.cost is not None else []
    cut = " It was cut at its longest." if answer.finish == "length" else ""
    empty = " It said nothing." if not answer.text.strip() else ""
    notes = [sentence(f"Note: {spoken(note)}") for note in answer.notes]
    calls = [sentence(f"It wants the tool {name(call.name)} called") for call in answer.tools.values()]
    return [*calls, f"End of the answer{': ' if parts else ''}{', '.join(parts)}.{cut}{empty}", *notes]


async def _keep(here: Here, sitting: str, request: ChatRequest, answer: Answer) -> None:
    """Where [chat] save = true: with the chats."""
    if not here.engine.fleet.chat.save or answer.ending is Ending.FORBIDDEN:
        return
    from quarterdeck.engine.chat.keeping import Chats

    with contextlib.suppress(QuarterdeckError):
        await asyncio.to_thread(Chats().save, sitting, request, answer)
