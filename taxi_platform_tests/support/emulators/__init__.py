"""Emulators of the clouds, each a real server on a free port, started and stopped by the tests."""
