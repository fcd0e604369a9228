"""Jobs of the attention engine, and what they should give."""
