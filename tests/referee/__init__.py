"""The referees: Intercom's own SDK drives the sandbox, and Intercom's own description judges what the whole test run sent and got."""
