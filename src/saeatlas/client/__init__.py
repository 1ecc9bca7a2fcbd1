"""The nouns of an atlas that another process serves, asked over HTTP."""
