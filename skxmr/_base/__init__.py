"""What estimators are made of: fitted state, default stages, shared methods."""
