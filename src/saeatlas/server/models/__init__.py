"""The shapes of answers that are long or shared, and what fills them; short ones stand beside their handlers."""
