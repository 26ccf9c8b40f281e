"""The whole service, as `bagvagt run` puts it together, with a clock that the test moves."""
