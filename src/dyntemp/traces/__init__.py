"""Records of tokens, the file that holds them, and their replay under another policy, all without a model."""
