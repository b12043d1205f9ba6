"""Base classes of estimators: fitted state, default stages, shared methods."""
