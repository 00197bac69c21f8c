"""What this platform costs in time and memory, measured; each module is a command."""
