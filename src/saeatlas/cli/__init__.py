"""The command line: arguments in, rendered answers out; nothing is computed here."""
