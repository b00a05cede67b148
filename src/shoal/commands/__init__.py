"""The commands, a file for each group, thin: they read settings, call a study or a room, and print.

Importing them imports nothing heavy: what a command needs is imported when it runs.
"""
