"""The policy language, from text to value. It knows policies, and no logits."""
