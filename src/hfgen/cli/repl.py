"""A conversation at the terminal: one session and one event loop for all of it."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from hfgen.cli.asking import Asking
from hfgen.cli.conversation import Conversation
from hfgen.cli.lines import Lines
from hfgen.cli.output import Output, error_lines, form_of, shown
from hfgen.cli.running import stoppable
from hfgen.cli.signals import ENDING
from hfgen.cli.terminal import aside, complain
from hfgen.cli.wording import reworded
from hfgen.errors import HfgenError
from hfgen.events import Event
from hfgen.transport.session import Session

_HELP: Final = """/system [TEXT]  the system prompt from now on; alone: what it is
/model [NAME]   another model from now on; alone: which it is
/continue       go on with the last answer
/regen          another answer to the last question
/reset          forget the conversation
/exit           leave (Ctrl-D does too)
\"\"\"             begins and ends a text of several lines
Ctrl-C stops an answer and keeps what came."""
_COMMAND: Final = re.compile(r"/[a-z?]*", re.ASCII)


def converse(given: Mapping[str, Any]) -> None:
    """Read, answer, and remember, until the end of the input.

    Raises:
        KeyboardInterrupt: Ctrl-C came twice in a row where a question was waited for, or a signal ends the program.
        ModelNotSupportedError: The local engine would have to answer, and cannot run here.
    """
    talk = Repl(given)
    with asyncio.Runner() as runner:
        who = runner.run(stoppable(talk.asking.who()))
        aside(f"A conversation with {who}. /help for help, Ctrl-D to leave.")
        session = Session(proxy=given["proxy"])
        try:
            while not ENDING.told and (line := talk.lines.read()) is not None:
                if not talk.turn(line, runner, session):
                    break
        finally:
            runner.run(session.close())


class Repl:
    """What a line does."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.lines = Lines()
        self._given = given
        self.asking = Asking.of(given)
        self._conversation = Conversation(given["system"] or "")

    def turn(self, line: str, runner: asyncio.Runner, session: Session) -> bool:
        """Do what a line says; False to leave."""
        word, _, rest = line.strip().partition(" ")
        if not _COMMAND.fullmatch(word):
            if line.strip():
                self._conversation.ask(line)
                self._answer(runner, session)
            return True
        match word:
            case "/exit" | "/quit" | "/bye":
                return False
            case "/continue" if self._conversation.answered:
                self._answer(runner, session, action="continue")
            case "/regen" if self._conversation.take_back():
                self._answer(runner, session)
            case "/continue" | "/regen":
                complain("hfgen: there is no answer yet")
            case _:
                self._set(word, rest.strip(), runner)
        return True

    def _set(self, word: str, rest: str, runner: asyncio.Runner) -> None:
        match word:
            case "/reset":
                self._conversation.forget()
                aside("forgotten")
            case "/system":
                self._conversation.system = rest or self._conversation.system
                aside(f"system: {self._conversation.system or '(none)'}")
            case "/model":
                self._change_model(rest, runner)
            case "/" | "/help" | "/?":
                aside(_HELP)
            case _:
                complain(f"hfgen: there is no command {word}; /help lists them")

    def _change_model(self, name: str, runner: asyncio.Runner) -> None:
        changed = replace(self.asking, model=name or self.asking.model)
        try:
            aside(f"model: {runner.run(stoppable(changed.who()))}")
        except HfgenError as error:
            complain(f"hfgen: {reworded(error)}")
        else:
            self.asking = changed

    def _answer(self, runner: asyncio.Runner, session: Session, **more: str) -> None:
        """Answer the last question; an error or a Ctrl-C keeps the conversation, and what came."""
        heard = _Heard(form_of(self._given))
        try:
            with error_lines(as_json=self._given["as_json"]), heard.form:
                runner.run(stoppable(self._stream(heard, session, more)))
        except HfgenError as error:
            complain(f"hfgen: {reworded(error)}")
        except KeyboardInterrupt:
            if ENDING.told:
                raise
            aside("stopped")
        self._conversation.hear(heard.text)

    async def _stream(self, heard: "_Heard", session: Session, more: Mapping[str, str]) -> None:
        await asyncio.sleep(0)  # connections that the server closed while the user was typing are noticed now
        events = self.asking.ask(self._conversation.messages, session, **more)
        await shown(events, heard.show)


class _Heard:
    """Shows an answer and keeps its text."""

    def __init__(self, form: Output) -> None:
        self.form = form
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def show(self, event: Event) -> None:
        if isinstance(event, str):
            self._pieces.append(event)
        self.form.show(event)
