"""What defaults cost beside the best known settings, over many tasks."""
