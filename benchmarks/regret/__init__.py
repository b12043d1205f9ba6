"""The loss of quality by defaults, compared with the best settings of many tasks."""
