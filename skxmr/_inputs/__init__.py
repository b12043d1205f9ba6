"""What users give: checked, and brought into the form that estimators work on."""
