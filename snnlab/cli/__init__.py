"""The ``snnlab`` command: verbs, app launcher, doctor."""
