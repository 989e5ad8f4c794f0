"""Records of tokens, the file that keeps them, and their replay under another policy. No model is needed."""
