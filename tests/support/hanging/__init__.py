"""An app for worker processes of tests: jobs of the source `test` that wait at a gate, or kill who works on them."""
