"""The route as plain functions: load, observe, diff, plan, hold, execute, record. The only room that knows core and adapters."""
