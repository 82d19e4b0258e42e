"""The command line, as it is declared: commands, arguments, options and help, and none of what they do.

A command's work lies in `triage.commands`, in a module of the same name, which is loaded when the command is called.
"""
