"""Who a mail is from: the customer, whether the address is authentic, and who else takes part. Pure."""
