"""The screens of the console: each module has its `ENDPOINTS` and the handlers behind them."""
