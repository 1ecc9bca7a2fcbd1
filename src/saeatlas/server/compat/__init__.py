"""Answers in the shapes of older servers, so that their clients go on working."""
