"""The command `shoal`: what commands there are, where their settings come from, and how they end.

Data go to stdout, progress and messages to stderr. Exit codes: 0, 1 (failed), 2 (wrong use), 130 (interrupted).
Settings: defaults < shoal.toml here or --config FILE < environment (SHOAL_…) < flags. Nothing heavy is imported
until a command runs.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

import cyclopts
from cyclopts import App
from cyclopts.config import Toml

import shoal
from shoal.commands.attention import attention
from shoal.commands.circuits import circuits
from shoal.commands.data import data
from shoal.commands.demo import demo
from shoal.commands.difficulty import difficulty
from shoal.commands.exits import exits
from shoal.commands.faces import faces
from shoal.commands.gallery import gallery
from shoal.commands.report import report
from shoal.commands.serve import serve
from shoal.commands.studies import study
from shoal.commands.summarize import summarize
from shoal.errors import ShoalError
from shoal.settings import Environment, check_environment, config_files

# an interrupt is `main`'s to tell of
app = App(name="shoal", help=shoal.__doc__, version=shoal.__version__, suppress_keyboard_interrupt=False)
for command in (study, data, attention, circuits, summarize, difficulty, exits, faces, gallery, demo, report, serve):
    app.command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and leave with its exit code.

    Args:
        arguments: the words after the program's name; those of the process unless given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _as_interrupt)  # a training saves first: `shoal.engine.interrupt`
    try:
        words, files = config_files(words)
        # `config_files` has refused keys that no command knows; a command passes over those of another
        toml = (Toml(f, must_exist=True, use_commands_as_keys=False, allow_unknown=True) for f in files)
        app.config = [Environment("SHOAL_", command=False), *toml]
        check_environment()
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
        _exit(0)
    except ShoalError as error:
        _exit(error.exit_code, str(error))
    except cyclopts.CycloptsError as error:
        _exit(2, " ".join(str(error).split()) + " (see --help)")
    except KeyboardInterrupt:
        _exit(130, "interrupted")
    except BrokenPipeError:  # the reader of stdout left, for example `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _exit(1)
    except OSError as error:
        _exit(1, f"{error.filename or 'the system'}: {error.strerror or error}")


def _as_interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _exit(code: int, message: str = "") -> NoReturn:
    if message:
        print(f"shoal: {message}", file=sys.stderr)
    sys.exit(code)
