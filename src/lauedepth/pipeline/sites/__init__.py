"""Sites: other machines with a batch system, reached by ssh or from here."""
