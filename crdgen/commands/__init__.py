"""The subcommands, one module each: `register` adds its parser, `run` gives the exit code.

`crdgen.__main__` imports them; each imports what it needs when it runs, so that `--help` is
quick and an import of the package costs little.
"""
