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
from shoal.errors import ShoalError
from shoal.settings import Environment, check_environment, config_files

# What each command is for, as its own help says in its first line; its module is imported when it runs.
COMMANDS = {
    "study": ("shoal.commands.studies:study", "Run one study and write its report."),
    "data": ("shoal.commands.data:data", "Find, fetch and verify data sets."),
    "attention": ("shoal.commands.attention:attention", "Linear attention on your own queries, keys and values."),
    "circuits": (
        "shoal.commands.circuits:circuits",
        "Attention heads from rules: compiled and proved, learned, compared.",
    ),
    "summarize": ("shoal.commands.summarize:summarize", "A summarizer for your own texts, that says when it overfits."),
    "difficulty": (
        "shoal.commands.difficulty:difficulty",
        "How hard your own images are, and which of their labels look wrong.",
    ),
    "exits": (
        "shoal.commands.exits:exits",
        "Networks for your own images that stop early, with a guarantee of what that may cost.",
    ),
    "faces": (
        "shoal.commands.faces:faces",
        "Networks that tell people apart: trained on your own photos, verified, and put to use.",
    ),
    "gallery": (
        "shoal.commands.gallery:gallery",
        "People and their faces in a database: enrol, find, group, upgrade the model, forget.",
    ),
    "demo": ("shoal.commands.demo:demo", "Run every study small, on the best data at hand, and write one report."),
    "report": (
        "shoal.commands.report:report",
        "Write one report from the results of several runs; runs of the same study are compared side by side.",
    ),
    "serve": (
        "shoal.commands.serve:serve",
        "Serve the playground: rooms in which one turns the knobs of what the studies measure; Ctrl-C ends it.",
    ),
}

# an interrupt is `main`'s to tell of
app = App(name="shoal", help=shoal.__doc__, version=shoal.__version__, suppress_keyboard_interrupt=False)
for _name, (_place, _help) in COMMANDS.items():
    app.command(_place, name=_name, help=_help)


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
