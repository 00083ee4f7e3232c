"""Who may use the console and HTTP intake, and the words in which their actions are kept."""
