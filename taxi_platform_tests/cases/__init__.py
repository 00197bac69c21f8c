"""Small inputs that people in the field meet, brought in by ``taxi run``, each with what should come of it."""
