"""Tests: mirrors the package; ``support`` holds real servers and file makers, never mocks."""
