"""Drawing on a terminal, and the plain forms of the same for pipes and files."""
