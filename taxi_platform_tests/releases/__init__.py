"""What every version left behind, and that this one reads it, goes on with it, and loses nothing of it."""
