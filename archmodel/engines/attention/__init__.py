"""The attention engine: one-pass softmax over tiles of keys."""
