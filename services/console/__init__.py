"""The operator console: a web face on `services.operator`, served by Starlette (the extra `console`)."""
