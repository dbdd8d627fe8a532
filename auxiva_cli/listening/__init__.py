"""What is heard: a recording as a mixture, its transform, and what there is to learn from it."""
