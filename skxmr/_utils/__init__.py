"""What all packages use: sparse and dense rows, files, checks of loaded arrays."""
