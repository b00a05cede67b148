"""The playground: pages on this machine in which one turns the knobs of what the studies measure.

    shoal serve --port 8000

`app.py` puts it together; each room is one module in `rooms/`, whose docstring says what a room is. Pages are written
by the server; scripts only fetch parts of them anew, so that everything also works without.
"""
