"""What is in deploy/, with real load balancers and real servers."""
