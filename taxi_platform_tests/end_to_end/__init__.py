"""The platform as its users meet it: the ``taxi`` command in processes of its own, on real files and real stores."""
