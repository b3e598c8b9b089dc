"""What stands behind the subcommands of `vct`, one group a file; `vctlib.__main__` only reads the command line."""
