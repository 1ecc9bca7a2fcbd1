"""The nouns of an atlas, read-only: atlas, SAE, feature, corpus and what can be asked of them."""
