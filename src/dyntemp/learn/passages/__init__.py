"""Learning without a reward: a policy that is least surprised by given texts."""
