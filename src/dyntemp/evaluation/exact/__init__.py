"""The expected score of a policy, computed from rows of logits that were read once, and replays of samples."""
