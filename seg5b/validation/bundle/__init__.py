"""What S5 publishes: report, issue table and copied evidence, sealed by an index and a flag; and verifying all of it."""
