"""A fake host for each adapter, for tests without the host; see `dyntemp.testing.FakeHost`."""
