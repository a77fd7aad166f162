"""Racing: what a contestant is, how they run against each other, and what is expected of them beforehand."""
