"""Does everything work: queues, stages, standstills, and whether every mail is accounted for."""
