"""Shoal: deep learning that goes only as deep as it must, and shows its work.

Importing this package imports nothing heavy; import the room that you need, for example `shoal.exits`.
"""

__version__ = "0.1.0"
