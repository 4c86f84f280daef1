"""Words in text, and words in token ids."""
