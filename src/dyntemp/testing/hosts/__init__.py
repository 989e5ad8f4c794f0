"""A driver per adapter that calls it as its host does, for tests without the host; see `dyntemp.testing.FakeHost`."""
