"""One point over many processes: launchers, ranks, GPUs, work, and how runs stop and resume.

Rooms above import `launch`, `joining` and `team`, which are light, and, once a launcher is known
to have started several ranks, `equipment` and `ranks`.
"""
