"""The steps of an export: from a job that was checked to files that were verified."""
